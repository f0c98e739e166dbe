/*
 * The certificates and requests of a CV certificate PKI, verified by OpenPACE (libeac) alone.
 *
 *     certificates chain CVCA FILE...              imports a chain as a card does, from a CVCA on
 *     certificates request FILE                    verifies the inner signature of a request
 *     certificates authenticated FILE CVCA FILE... verifies both signatures of a request; the last
 *                                                  certificate of the chain made the outer one
 *
 * Exit code 0: all verified. 1: something was refused; standard output says what.
 */
#include <eac/cv_cert.h>
#include <eac/eac.h>
#include <eac/ta.h>
#include <openssl/buffer.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The library exports it and declares it in none of its headers. */
int EAC_verify(int protocol, EVP_PKEY *key, const BUF_MEM *signature, const BUF_MEM *data);

typedef struct {
    unsigned char data[1 << 14];
    size_t length;
} File;

static void load(File *file, const char *path) {
    FILE *stream = fopen(path, "rb");
    if (!stream) {
        perror(path);
        exit(2);
    }
    file->length = fread(file->data, 1, sizeof file->data, stream);
    fclose(stream);
}

static int refused(const char *what) {
    printf("refused: %s\n", what);
    ERR_print_errors_fp(stdout);
    return 1;
}

/* A card's context: trusts the first certificate, has imported the others. */
static EAC_CTX *import(int count, char **paths) {
    static File file;
    EAC_CTX *card = EAC_CTX_new();
    load(&file, paths[0]);
    if (!card || !EAC_CTX_init_ta(card, NULL, 0, file.data, file.length)) {
        refused(paths[0]);
        return NULL;
    }
    for (int i = 1; i < count; i++) {
        load(&file, paths[i]);
        if (!TA_STEP2_import_certificate(card, file.data, file.length)) {
            refused(paths[i]);
            return NULL;
        }
    }
    return card;
}

static int request(const char *path) {
    static File file;
    load(&file, path);
    const unsigned char *at = file.data;
    CVC_CERT_REQUEST *request = d2i_CVC_CERT_REQUEST(NULL, &at, file.length);
    if (!request || at != file.data + file.length) return refused("request is malformed");
    if (CVC_verify_request_signature(request) != 1) return refused("inner signature");
    puts("verified");
    return 0;
}

/* The value of the data object at *AT, which moves behind it; NULL unless it has the tag. */
static const unsigned char *value(const unsigned char **at, const unsigned char *end, int wanted,
                                  long *length) {
    int tag, class;
    const unsigned char *start = *at;
    if (ASN1_get_object(&start, length, &tag, &class, end - start) & 0x80) return NULL;
    *at = start + *length;
    return class == V_ASN1_APPLICATION && tag == wanted ? start : NULL;
}

/*
 * The library's type of an authenticated request does not read the tag 67, and its check of the
 * outer signature leaves the reference's tag and length out of what is signed, both against
 * TR-03110-3 appendix C.2 and D.2. So the three objects are taken apart here; both signatures are
 * verified by the library.
 */
static int authenticated(int count, char **arguments) {
    static File file;
    EAC_CTX *card = import(count - 1, arguments + 1);
    if (!card) return 1;
    load(&file, arguments[0]);
    const unsigned char *at = file.data, *end = file.data + file.length;
    long length, outer_length;
    const unsigned char *inner = value(&at, end, 0x07, &length);
    if (!inner || at != end) return refused("no authentication");
    at = inner;
    CVC_CERT_REQUEST *parsed = d2i_CVC_CERT_REQUEST(NULL, &at, end - at);
    if (!parsed || !value(&at, end, 0x02, &length)) return refused("request or reference");
    if (CVC_verify_request_signature(parsed) != 1) return refused("inner signature");
    size_t signed_length = at - inner;
    const unsigned char *outer = value(&at, end, 0x37, &outer_length);
    if (!outer || at != end) return refused("no outer signature");
    BUF_MEM data = {.data = (char *)inner, .length = signed_length, .max = signed_length};
    BUF_MEM signature = {.data = (char *)outer, .length = outer_length, .max = outer_length};
    if (EAC_verify(card->ta_ctx->protocol, card->ta_ctx->pub_key, &signature, &data) != 1)
        return refused("outer signature");
    puts("verified");
    return 0;
}

int main(int count, char **arguments) {
    EAC_init();
    if (count >= 3 && !strcmp(arguments[1], "chain")) {
        if (!import(count - 2, arguments + 2)) return 1;
        puts("verified");
        return 0;
    }
    if (count == 3 && !strcmp(arguments[1], "request")) return request(arguments[2]);
    if (count >= 4 && !strcmp(arguments[1], "authenticated"))
        return authenticated(count - 2, arguments + 2);
    fprintf(stderr, "usage: certificates chain|request|authenticated FILE...\n");
    return 2;
}
