/* A PKCS#11 module in front of another one, which fails as it is told.
 *
 * FAULTY_REAL names the module behind. FAULTY_PLAN names a file with a line for each fault:
 * a function, what it does (the code it returns, or "wrong": a signature with a bit turned), and how
 * often. FAULTY_LOG names a file that gets the name of each function called, a line each.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long rv;
typedef rv (*function)(long, long, long, long, long, long);
/* CK_FUNCTION_LIST: version, then functions in the order of the specification. */
struct list {
    unsigned char version[2];
    function functions[68];
};

static struct list own;
static struct list *real;

static void note(const char *name) {
    const char *path = getenv("FAULTY_LOG");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (file) {
        fprintf(file, "%s\n", name);
        fclose(file);
    }
}

/* Takes one fault of the function off the plan: 0 none, 1 a code, 2 wrong. */
static int fault(const char *name, rv *code) {
    const char *path = getenv("FAULTY_PLAN");
    FILE *file = path ? fopen(path, "r") : NULL;
    char left[4096] = "", line[256], what[64], kind[64];
    int times, found = 0;
    if (!file) return 0;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%63s %63s %d", what, kind, &times) != 3) continue;
        if (!found && times > 0 && strcmp(what, name) == 0) {
            found = strcmp(kind, "wrong") == 0 ? 2 : 1;
            *code = strtoul(kind, NULL, 0);
            times--;
        }
        snprintf(left + strlen(left), sizeof left - strlen(left), "%s %s %d\n", what, kind, times);
    }
    fclose(file);
    if (found && (file = fopen(path, "w"))) {
        fputs(left, file);
        fclose(file);
    }
    return found;
}

#define WRAP(index, name)                                              \
    static rv name(long a, long b, long c, long d, long e, long f) {   \
        rv code;                                                       \
        note(#name);                                                   \
        if (fault(#name, &code)) return code;                          \
        return real->functions[index](a, b, c, d, e, f);               \
    }

WRAP(0, C_Initialize)
WRAP(1, C_Finalize)
WRAP(4, C_GetSlotList)
WRAP(12, C_OpenSession)
WRAP(18, C_Login)
WRAP(29, C_EncryptInit)

static rv C_Sign(long session, long data, long length, long signature, long size, long f) {
    rv code, result;
    int found;
    /* Asking for the length alone is no signature. */
    if (!signature) return real->functions[43](session, data, length, signature, size, f);
    note("C_Sign");
    found = fault("C_Sign", &code);
    if (found == 1) return code;
    result = real->functions[43](session, data, length, signature, size, f);
    if (found == 2 && result == 0) ((unsigned char *)signature)[*(unsigned long *)size - 1] ^= 1;
    return result;
}

rv C_GetFunctionList(struct list **out) {
    void *library = dlopen(getenv("FAULTY_REAL"), RTLD_NOW);
    rv (*get)(struct list **) = library ? (rv(*)(struct list **))dlsym(library, "C_GetFunctionList") : NULL;
    rv result = get ? get(&real) : 5;
    if (result) return result;
    own = *real;
    own.functions[0] = C_Initialize;
    own.functions[1] = C_Finalize;
    own.functions[4] = C_GetSlotList;
    own.functions[12] = C_OpenSession;
    own.functions[18] = C_Login;
    own.functions[29] = C_EncryptInit;
    own.functions[43] = C_Sign;
    *out = &own;
    return 0;
}
