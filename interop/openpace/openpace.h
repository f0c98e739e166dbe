/*
 * What the foreign card and the foreign terminal share: byte strings, data objects, and the places
 * where libeac's octet strings are shorter than the specifications have them.
 */
#ifndef OPENPACE_H
#define OPENPACE_H

#include <eac/ca.h>
#include <eac/eac.h>
#include <eac/pace.h>
#include <openssl/buffer.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    unsigned char data[70000];
    size_t length;
} Bytes;

/* The library exports it and declares it in none of its headers. */
int KA_CTX_derive_keys(KA_CTX *agreement, const BUF_MEM *nonce, EVP_MD_CTX *digest);

static inline void append(Bytes *to, const void *from, size_t length) {
    if (to->length + length > sizeof to->data) exit(3);
    memcpy(to->data + to->length, from, length);
    to->length += length;
}

static inline void append_object(Bytes *to, unsigned char tag, const void *value, size_t length) {
    unsigned char head[4] = {tag, length, 0, 0};
    size_t count = 2;
    if (length > 255) {
        head[1] = 0x82, head[2] = length >> 8, head[3] = length & 0xff, count = 4;
    } else if (length > 127) {
        head[1] = 0x81, head[2] = length, count = 3;
    }
    append(to, head, count);
    append(to, value, length);
}

static inline BUF_MEM *buffer(const void *from, size_t length) {
    BUF_MEM *made = BUF_MEM_new();
    if (!made || (length && !BUF_MEM_grow(made, length))) exit(3);
    if (length) memcpy(made->data, from, length);
    return made;
}

/* Reads a whole file; 0 where there is none. */
static inline int load(const char *path, Bytes *to) {
    FILE *file = fopen(path, "rb");
    if (!file) return 0;
    to->length = fread(to->data, 1, sizeof to->data, file);
    fclose(file);
    return 1;
}

/* The value of the first object with this tag of one byte; lengths of up to two bytes. */
static inline const unsigned char *find(const unsigned char *at, size_t left, unsigned char tag,
                                        size_t *length) {
    *length = 0;
    while (left >= 2) {
        size_t head = 2, value = at[1];
        if (value == 0x81 && left >= 3) head = 3, value = at[2];
        else if (value == 0x82 && left >= 4) head = 4, value = at[2] << 8 | at[3];
        if (value > left - head) return NULL;
        if (at[0] == tag) {
            *length = value;
            return at + head;
        }
        at += head + value, left -= head + value;
    }
    return NULL;
}

static inline BUF_MEM *find_buffer(const unsigned char *at, size_t left, unsigned char tag) {
    size_t length;
    const unsigned char *value = find(at, left, tag, &length);
    return value ? buffer(value, length) : NULL;
}

/* The same number over more bytes: libeac drops leading zeros. */
static inline BUF_MEM *widened(const BUF_MEM *number, size_t length) {
    if (number->length >= length) return buffer(number->data, number->length);
    BUF_MEM *made = BUF_MEM_new();
    if (!made || !BUF_MEM_grow(made, length)) exit(3);
    memset(made->data, 0, length - number->length);
    memcpy(made->data + length - number->length, number->data, number->length);
    return made;
}

/* Session keys from the shared secret over all bytes of the prime (PKCS#3 8.2, 9303-11 9.7.1). */
static inline int derive_keys(EAC_CTX *context, KA_CTX *agreement) {
    if (EVP_PKEY_base_id(agreement->key) != EVP_PKEY_EC)
        agreement->shared_secret =
            widened(agreement->shared_secret, (EVP_PKEY_bits(agreement->key) + 7) / 8);
    return KA_CTX_derive_keys(agreement, NULL, context->md_ctx);
}

/* Comp() of a public key; an x-coordinate over all bytes of the prime (9303-11 7.1.4.2.3). */
static inline BUF_MEM *compressed(const EAC_CTX *context, int protocol, const BUF_MEM *key) {
    BUF_MEM *made = EAC_Comp(context, protocol, key);
    if (!made) exit(3);
    return key->data[0] == 4 && key->length % 2 == 1 ? widened(made, key->length / 2) : made;
}

/* A plain signature with both numbers over that many bytes (TR-03111 5.2.1). */
static inline BUF_MEM *widened_signature(const BUF_MEM *signature, size_t length) {
    size_t half = signature->length / 2;
    BUF_MEM *r = widened(buffer(signature->data, half), length);
    BUF_MEM *s = widened(buffer(signature->data + half, half), length);
    Bytes both = {.length = 0};
    append(&both, r->data, r->length);
    append(&both, s->data, s->length);
    return buffer(both.data, both.length);
}

/* One SecurityInfo (9303-11 9.2): the second element whole, the third where it is an INTEGER. */
typedef struct {
    char oid[64];
    const unsigned char *required;
    long required_length, number;
} SecurityInfo;

static inline int next_info(const unsigned char **at, const unsigned char *end, SecurityInfo *info) {
    long length;
    int tag, class;
    if (*at >= end || ASN1_get_object(at, &length, &tag, &class, end - *at) & 0x80) return 0;
    const unsigned char *inner = *at, *stop = *at + length;
    *at = stop;
    ASN1_OBJECT *oid = d2i_ASN1_OBJECT(NULL, &inner, length);
    if (tag != V_ASN1_SEQUENCE || !oid) return 0;
    OBJ_obj2txt(info->oid, sizeof info->oid, oid, 1);
    ASN1_OBJECT_free(oid);
    info->required = inner;
    if (ASN1_get_object(&inner, &length, &tag, &class, stop - inner) & 0x80) return 0;
    inner += length;
    info->required_length = inner - info->required;
    info->number = -1;
    ASN1_INTEGER *number = inner < stop ? d2i_ASN1_INTEGER(NULL, &inner, stop - inner) : NULL;
    if (number) info->number = ASN1_INTEGER_get(number);
    return 1;
}

/* The elements of SecurityInfos; NULL where there is no SET. */
static inline const unsigned char *open_infos(const unsigned char *at, size_t length,
                                              const unsigned char **end) {
    long content;
    int tag, class;
    *end = NULL;
    if (ASN1_get_object(&at, &content, &tag, &class, length) & 0x80 || tag != V_ASN1_SET)
        return NULL;
    *end = at + content;
    return at;
}

#endif
