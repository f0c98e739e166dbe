/*
 * The mappings of PACE that libeac does not have: Chip Authentication Mapping, which is its Generic
 * Mapping and a proof after it, and Integrated Mapping, written here by ICAO 9303-11 over OpenSSL's
 * numbers. libeac's own Integrated Mapping is that of TR-03110 version 2.01.
 */
#ifndef MAPPINGS_H
#define MAPPINGS_H

#include "openpace.h"

#include <openssl/dh.h>
#include <openssl/rand.h>

/* E(K, data) or D(K, data) with IV = E(K, -1), and the counter at zero again (9303-11 4.4.3.5.4). */
static inline BUF_MEM *chip_authentication_data(EAC_CTX *context, const BUF_MEM *data,
                                                BUF_MEM *(*run)(const EAC_CTX *, const BUF_MEM *)) {
    unsigned char minus_one[16];
    memset(minus_one, 0xff, sizeof minus_one);
    if (!BN_bin2bn(minus_one, sizeof minus_one, context->ssc)) exit(3);
    BUF_MEM *made = run(context, data);
    EAC_reset_ssc(context);
    return made;
}

/* CBC without padding, IV 0; the key is as long as the cipher wants. */
static inline BUF_MEM *encrypt_block(const EVP_CIPHER *cipher, const BUF_MEM *key,
                                     const BUF_MEM *data) {
    unsigned char none[16] = {0};
    int length = 0;
    BUF_MEM *made = buffer(data->data, data->length);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (!EVP_EncryptInit_ex(context, cipher, NULL, (unsigned char *)key->data, none) ||
        !EVP_CIPHER_CTX_set_padding(context, 0) ||
        !EVP_EncryptUpdate(context, (unsigned char *)made->data, &length,
                           (unsigned char *)data->data, data->length) ||
        (size_t)length != made->length)
        exit(3);
    EVP_CIPHER_CTX_free(context);
    return made;
}

/* The pseudo-random function Rp(s, t) (9303-11 4.4.3.3.2): a number below the prime. */
static inline BIGNUM *pseudo_random(const EVP_CIPHER *cipher, const BUF_MEM *s, const BUF_MEM *t,
                                    const BIGNUM *prime, BN_CTX *numbers) {
    static const unsigned char short0[] = {0xa6, 0x68, 0x89, 0x2a, 0x7c, 0x41, 0xe3, 0xca,
                                           0x73, 0x9f, 0x40, 0xb0, 0x57, 0xd8, 0x59, 0x04};
    static const unsigned char short1[] = {0xa4, 0xe1, 0x36, 0xac, 0x72, 0x5f, 0x73, 0x8b,
                                           0x01, 0xc1, 0xf6, 0x02, 0x17, 0xc1, 0x88, 0xad};
    static const unsigned char long0[] = {
        0xd4, 0x63, 0xd6, 0x52, 0x34, 0x12, 0x4e, 0xf7, 0x89, 0x70, 0x54, 0x98, 0x6d, 0xca, 0x0a, 0x17,
        0x4e, 0x28, 0xdf, 0x75, 0x8c, 0xba, 0xa0, 0x3f, 0x24, 0x06, 0x16, 0x41, 0x4d, 0x5a, 0x16, 0x76};
    static const unsigned char long1[] = {
        0x54, 0xbd, 0x72, 0x55, 0xf0, 0xaa, 0xf8, 0x31, 0xbe, 0xc3, 0x42, 0x3f, 0xcf, 0x39, 0xd6, 0x9b,
        0x6c, 0xbf, 0x06, 0x66, 0x77, 0xd0, 0xfa, 0xae, 0x5a, 0xad, 0xd9, 0x9d, 0xf8, 0xe5, 0x35, 0x17};
    int wide = EVP_CIPHER_key_length(cipher) > 16;
    BUF_MEM *c0 = wide ? buffer(long0, 32) : buffer(short0, 16);
    BUF_MEM *c1 = wide ? buffer(long1, 32) : buffer(short1, 16);
    BUF_MEM *key = encrypt_block(cipher, t, s);
    Bytes joined = {.length = 0};
    while (joined.length * 8 < (size_t)BN_num_bits(prime) + 64) {
        BUF_MEM *x = encrypt_block(cipher, key, c1);
        append(&joined, x->data, x->length);
        key = encrypt_block(cipher, key, c0);
    }
    BIGNUM *number = BN_bin2bn(joined.data, joined.length, NULL);
    if (!number || !BN_nnmod(number, number, prime, numbers)) exit(3);
    return number;
}

/* x^((p-1)/q) as the generator. */
static inline int map_to_field(PACE_CTX *context, const BUF_MEM *s, const BUF_MEM *t,
                               BN_CTX *numbers) {
    const DH *fixed = EVP_PKEY_get0_DH(context->static_key);
    const BIGNUM *p = DH_get0_p(fixed), *q = DH_get0_q(fixed);
    BIGNUM *g = pseudo_random(context->ka_ctx->cipher, s, t, p, numbers), *cofactor = BN_dup(p);
    DH *mapped = DH_new();
    return BN_sub_word(cofactor, 1) && BN_div(cofactor, NULL, cofactor, q, numbers) &&
           BN_mod_exp(g, g, cofactor, p, numbers) && !BN_is_one(g) &&
           DH_set0_pqg(mapped, BN_dup(p), BN_dup(q), g) &&
           EVP_PKEY_set1_DH(context->ka_ctx->key, mapped);
}

/* x^3 + ax + b mod p */
static inline BIGNUM *curve_at(const BIGNUM *x, const BIGNUM *a, const BIGNUM *b, const BIGNUM *p,
                               BN_CTX *numbers) {
    BIGNUM *made = BN_new();
    if (!BN_mod_sqr(made, x, p, numbers) || !BN_mod_add(made, made, a, p, numbers) ||
        !BN_mod_mul(made, made, x, p, numbers) || !BN_mod_add(made, made, b, p, numbers))
        exit(3);
    return made;
}

/* The point encoding of 9303-11 B.2, step by step; the curves have no cofactor. */
static inline EC_POINT *encode_point(const EC_GROUP *group, const BIGNUM *t, BN_CTX *numbers) {
    BIGNUM *p = BN_new(), *a = BN_new(), *b = BN_new(), *alpha = BN_new(), *x2 = BN_new();
    BIGNUM *x3 = BN_new(), *power = BN_new(), *root = BN_new(), *check = BN_new(), *u = BN_new();
    EC_POINT *made = EC_POINT_new(group);
    if (!EC_GROUP_get_curve(group, p, a, b, numbers) ||
        !BN_mod_sqr(alpha, t, p, numbers) || !BN_sub(alpha, p, alpha) || /* 1 */
        !BN_mod_sqr(x2, alpha, p, numbers) || !BN_mod_add(x2, x2, alpha, p, numbers) ||
        !BN_mod_inverse(x2, x2, p, numbers) || !BN_add_word(x2, 1) ||
        !BN_mod_inverse(u, a, p, numbers) || !BN_mod_mul(x2, x2, u, p, numbers) ||
        !BN_mod_mul(x2, x2, b, p, numbers) || !BN_sub(x2, p, x2) || /* 2 */
        !BN_mod_mul(x3, alpha, x2, p, numbers)) /* 3 */
        exit(3);
    BIGNUM *h2 = curve_at(x2, a, b, p, numbers); /* 4 */
    if (!BN_mod_sqr(u, t, p, numbers) || !BN_mod_mul(u, u, t, p, numbers) ||
        !BN_mod_mul(u, u, h2, p, numbers) || /* 6 */
        !BN_copy(power, p) || !BN_add_word(power, 1) || !BN_rshift(power, power, 2) ||
        !BN_sub(power, p, power) || !BN_sub_word(power, 1) ||
        !BN_mod_exp(root, h2, power, p, numbers) || /* 7 */
        !BN_mod_sqr(check, root, p, numbers) || !BN_mod_mul(check, check, h2, p, numbers))
        exit(3);
    const BIGNUM *x = BN_is_one(check) ? x2 : x3; /* 8, 9 */
    if (!BN_mod_mul(root, root, BN_is_one(check) ? h2 : u, p, numbers) ||
        !EC_POINT_set_affine_coordinates(group, made, x, root, numbers))
        exit(3);
    return made;
}

static inline int map_to_curve(PACE_CTX *context, const BUF_MEM *s, const BUF_MEM *t,
                               BN_CTX *numbers) {
    const EC_KEY *fixed = EVP_PKEY_get0_EC_KEY(context->static_key);
    EC_GROUP *group = EC_GROUP_dup(EC_KEY_get0_group(fixed));
    BIGNUM *p = BN_new(), *order = BN_dup(EC_GROUP_get0_order(group));
    EC_KEY *mapped = EC_KEY_new();
    if (!EC_GROUP_get_curve(group, p, NULL, NULL, numbers)) return 0;
    BIGNUM *number = pseudo_random(context->ka_ctx->cipher, s, t, p, numbers);
    EC_POINT *generator = encode_point(group, number, numbers);
    return EC_GROUP_set_generator(group, generator, order, BN_value_one()) &&
           EC_KEY_set_group(mapped, group) && EVP_PKEY_set1_EC_KEY(context->ka_ctx->key, mapped);
}

/* The nonce t: as long as the key of the cipher. */
static inline BUF_MEM *integrated_nonce(const PACE_CTX *context, BN_CTX *numbers) {
    unsigned char bytes[32];
    (void)numbers;
    if (RAND_bytes(bytes, sizeof bytes) != 1) exit(3);
    return buffer(bytes, EVP_CIPHER_key_length(context->ka_ctx->cipher));
}

/* Which mapping a protocol has: 'G', 'I' or 'C'; 0 for none that is known. */
static inline char mapping_of(const char *oid) {
    static const char pace[] = "0.4.0.127.0.7.2.2.4.";
    if (strncmp(oid, pace, strlen(pace))) return 0;
    switch (oid[strlen(pace)]) {
    case '1': case '2': return 'G';
    case '3': case '4': return 'I';
    case '6': return 'C';
    }
    return 0;
}

/*
 * Prepares PACE by the first PACEInfo of a mapping. The context is one of Generic Mapping, whose
 * mapping and identifier, which the tokens are over, are replaced.
 */
static inline int prepare_pace(EAC_CTX *context, const Bytes *card_access, char mapping) {
    const unsigned char *end, *at = open_infos(card_access->data, card_access->length, &end);
    SecurityInfo info;
    if (mapping == 'G')
        return EAC_CTX_init_ef_cardaccess(card_access->data, card_access->length, context);
    while (at && next_info(&at, end, &info)) {
        if (mapping_of(info.oid) != mapping) continue;
        const int generic[2][4] = {
            {NID_id_PACE_DH_GM_3DES_CBC_CBC, NID_id_PACE_DH_GM_AES_CBC_CMAC_128,
             NID_id_PACE_DH_GM_AES_CBC_CMAC_192, NID_id_PACE_DH_GM_AES_CBC_CMAC_256},
            {NID_id_PACE_ECDH_GM_3DES_CBC_CBC, NID_id_PACE_ECDH_GM_AES_CBC_CMAC_128,
             NID_id_PACE_ECDH_GM_AES_CBC_CMAC_192, NID_id_PACE_ECDH_GM_AES_CBC_CMAC_256}};
        int known = OBJ_txt2nid(info.oid), curve = info.number > 2;
        int protocol = known ? known : OBJ_create(info.oid, info.oid, info.oid);
        unsigned cipher = info.oid[strlen(info.oid) - 1] - '1';
        if (cipher > 3 || !EAC_CTX_init_pace(context, generic[curve][cipher], info.number)) return 0;
        context->pace_ctx->protocol = protocol;
        if (mapping == 'I') {
            context->pace_ctx->map_generate_key = integrated_nonce;
            context->pace_ctx->map_compute_key = curve ? map_to_curve : map_to_field;
        }
        return 1;
    }
    return 0;
}

#endif
