//! Help in Vietnamese.
//!
//! The English help stands beside the code as clap's doc comments; `i18n/help.vi.toml` has the
//! Vietnamese of each: a table for each command (`cancuoc`, `cancuoc.pki.csca`), in it `about`,
//! and for each option its id. Examples are the same in both languages.

use std::collections::HashMap;

use clap::Command;

use super::Lang;

const VIETNAMESE: &str = include_str!("../../i18n/help.vi.toml");

type Texts = HashMap<String, HashMap<String, String>>;

const TEMPLATE_VI: &str = "\
{about-with-newline}
Cách dùng: {usage}

{all-args}{after-help}";

/// The command line with help in the language.
pub(super) fn localize(command: Command, lang: Lang) -> Command {
    match lang {
        Lang::En => command,
        // A table that does not parse is caught by a test below.
        Lang::Vi => translate(command, "cancuoc", &toml::from_str(VIETNAMESE).unwrap_or_default()),
    }
}

fn translate(mut command: Command, path: &str, texts: &Texts) -> Command {
    if let Some(about) = texts.get(path).and_then(|t| t.get("about")) {
        command = command.about(about.clone());
    }
    command =
        command.help_template(TEMPLATE_VI).subcommand_help_heading("Lệnh").mut_args(|argument| {
            let id = argument.get_id().to_string();
            let heading = if argument.is_positional() { "Tham số" } else { "Tùy chọn" };
            let argument = argument.help_heading(heading);
            match find(texts, path, &id) {
                Some(help) => argument.help(help.clone()),
                None => argument,
            }
        });
    let names: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    for name in names {
        let path = format!("{path}.{name}");
        command = command.mut_subcommand(name, |sub| translate(sub, &path, texts));
    }
    command
}

/// The help of an option: of this command, else the one that all commands share.
fn find<'a>(texts: &'a Texts, path: &str, id: &str) -> Option<&'a String> {
    texts.get(path).and_then(|t| t.get(id)).or_else(|| texts.get("cancuoc").and_then(|t| t.get(id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_command_and_option_has_its_help_in_vietnamese() {
        let texts: Texts = toml::from_str(VIETNAMESE).unwrap();
        let mut missing = Vec::new();
        collect_missing(&super::super::Cli::command(), "cancuoc", &texts, &mut missing);
        assert!(missing.is_empty(), "missing in i18n/help.vi.toml: {missing:#?}");
    }

    fn collect_missing(command: &Command, path: &str, texts: &Texts, missing: &mut Vec<String>) {
        if !texts.get(path).is_some_and(|t| t.contains_key("about")) {
            missing.push(format!("[\"{path}\"] about"));
        }
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            if !["help", "version"].contains(&id) && find(texts, path, id).is_none() {
                missing.push(format!("[\"{path}\"] {id}"));
            }
        }
        for sub in command.get_subcommands() {
            collect_missing(sub, &format!("{path}.{}", sub.get_name()), texts, missing);
        }
    }
}
