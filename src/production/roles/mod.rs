//! People and what they may do: roles, acts that two people must approve, sessions.
//!
//! The **list of people** ([`People`]) says who has which roles and which public key. It is a chain of its
//! own ([`PeopleHistory`]): each version names the one before by its digest, and two supervisors of that one
//! approved it. Whoever has the first version's digest from elsewhere can verify all that followed.
//!
//! An **approval** is a signature over a [`Statement`]: act, subject, run, a random nonce, and a time after
//! which it is worth nothing. [`authorize`] gives an [`Authorized`] only where people with the roles that the
//! act asks for signed, each of them once; what carries the act out asks for this value, stores its nonce,
//! and puts [`Authorized::act`] into the audit record in the same transaction.
//!
//! Separation: nobody counts twice, neither by name nor by key; an auditor has no other role; there are
//! always two supervisors, so that the last ones cannot remove themselves; nobody approves what gives
//! themselves a role or a key.

mod approval;
mod error;
mod history;
mod people;
mod session;

pub use approval::{
    ActKind, Approval, ApprovalFile, Authorized, LONGEST_LIFE, Statement, Wanted, authorize,
};
pub use error::RoleError;
pub use history::{PeopleChange, PeopleHistory};
pub use people::{People, Person, Role};
pub use session::{Session, SessionEnd, SessionLimits};

#[cfg(test)]
mod tests;
