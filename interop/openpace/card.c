/*
 * A small travel document whose cryptography is all OpenPACE's (libeac) and OpenSSL's: PACE with
 * the CAN, secure messaging, Chip Authentication and Terminal Authentication. It is the card in a
 * test of our reader.
 *
 *     card CAN FOLDER [OID PARAMETER SECRET PUBLIC]
 *
 * Reads FOLDER/mf and FOLDER/lds1, files named by their identifiers; FOLDER/cvca is the trust point.
 * The chip's key: the protocol of Chip Authentication, the standardised domain parameters, and both
 * halves in hexadecimal.
 *
 * One command APDU in hexadecimal a line on standard input, one response a line on standard output.
 * An empty line is a reset.
 */
#include "mappings.h"

#include <ctype.h>
#include <eac/cv_cert.h>
#include <eac/ta.h>

/* The library exports it and declares it in none of its headers. */
BUF_MEM *kdf_pi(const PACE_SEC *secret, const BUF_MEM *nonce, const KA_CTX *agreement,
                EVP_MD_CTX *digest);

static char **parameters; /* of the chip's key; NULL where it has none */
static const char *can, *folder, *application;
static Bytes current;
static int have_current;
static EAC_CTX *session;
static PACE_SEC *secret;
static BUF_MEM *terminal_key; /* the terminal's newest ephemeral key */
static char mapping;
static int step, protected_session, restarts, chip_authenticated;
static unsigned char rights; /* of the chain so far, in force once the terminal is authenticated */
static int authenticated;

static void answer(Bytes *out, unsigned status) {
    unsigned char bytes[2] = {status >> 8, status & 0xff};
    append(out, bytes, 2);
}

static size_t from_hex(const char *at, unsigned char *to) {
    size_t length = 0;
    for (; isxdigit((unsigned char)at[0]) && isxdigit((unsigned char)at[1]); at += 2) {
        unsigned byte;
        sscanf(at, "%2x", &byte);
        to[length++] = byte;
    }
    return length;
}

static int load_file(const char *where, unsigned id, Bytes *to) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s/%04X", folder, where, id);
    return load(path, to);
}

/* A context for the mapping that is asked for, with the chip's key and the trust point. */
static void new_session(char asked) {
    Bytes file;
    char path[1024];
    EAC_CTX_clear_free(session);
    session = EAC_CTX_new();
    if (!session || !load_file("mf", 0x011C, &file) || !prepare_pace(session, &file, asked))
        exit(4);
    if (parameters) {
        unsigned char private[600], public[600];
        size_t private_length = from_hex(parameters[2], private);
        size_t public_length = from_hex(parameters[3], public);
        if (!EAC_CTX_init_ca(session, OBJ_txt2nid(parameters[0]), atoi(parameters[1])) ||
            !CA_set_key(session, private, private_length, public, public_length))
            exit(4);
    }
    snprintf(path, sizeof path, "%s/cvca", folder);
    if (load(path, &file) && !EAC_CTX_init_ta(session, NULL, 0, file.data, file.length)) exit(4);
    TA_disable_checks(session);
    mapping = asked;
    rights = 0x03;
}

static void power_on(void) {
    PACE_SEC_clear_free(secret);
    secret = PACE_SEC_new(can, strlen(can), PACE_CAN);
    if (!secret) exit(4);
    application = "mf";
    have_current = step = protected_session = restarts = chip_authenticated = authenticated = 0;
}

/* (SK.IC)^-1 * SK.Map over the bytes of the order, encrypted (9303-11 4.4.3.5.1). */
static BUF_MEM *encrypted_chip_authentication_data(void) {
    const EC_KEY *map = EVP_PKEY_get0_EC_KEY(session->pace_ctx->static_key);
    const EC_KEY *chip = EVP_PKEY_get0_EC_KEY(session->ca_ctx->ka_ctx->key);
    const BIGNUM *order = EC_GROUP_get0_order(EC_KEY_get0_group(chip));
    BN_CTX *numbers = BN_CTX_new();
    BIGNUM *made = BN_mod_inverse(NULL, EC_KEY_get0_private_key(chip), order, numbers);
    unsigned char bytes[100];
    if (!made || !BN_mod_mul(made, made, EC_KEY_get0_private_key(map), order, numbers)) exit(5);
    int length = BN_bn2binpad(made, bytes, BN_num_bytes(order));
    BUF_MEM *padded = EAC_add_iso_pad(session, buffer(bytes, length));
    return chip_authentication_data(session, padded, EAC_encrypt);
}

/* Integrated Mapping wants a nonce of at least the key's length (9303-11 4.4.3.3); libeac's has that
 * of one block. */
static BUF_MEM *encrypted_long_nonce(void) {
    const KA_CTX *agreement = session->pace_ctx->ka_ctx;
    unsigned char nonce[32];
    if (RAND_bytes(nonce, sizeof nonce) != 1) exit(3);
    session->pace_ctx->nonce = buffer(nonce, EVP_CIPHER_key_length(agreement->cipher) > 16 ? 32 : 16);
    BUF_MEM *key = kdf_pi(secret, NULL, agreement, session->md_ctx);
    return encrypt_block(agreement->cipher, key, session->pace_ctx->nonce);
}

/* One step of PACE: the object answered, or NULL where the terminal's is not taken. */
static BUF_MEM *pace_step(const BUF_MEM *in) {
    BUF_MEM *made = NULL;
    int good = 1;
    if (step == 1) {
        made = mapping == 'I' ? encrypted_long_nonce() : PACE_STEP1_enc_nonce(session, secret);
    } else if (step == 2) {
        made = mapping == 'I' ? BUF_MEM_new() : PACE_STEP3A_generate_mapping_data(session);
        good = made && PACE_STEP3A_map_generator(session, in);
    } else if (step == 3) {
        made = PACE_STEP3B_generate_ephemeral_key(session);
        good = made && PACE_STEP3B_compute_shared_secret(session, in) &&
               derive_keys(session, session->pace_ctx->ka_ctx);
        terminal_key = buffer(in->data, in->length);
    } else {
        made = PACE_STEP3D_compute_authentication_token(session, terminal_key);
    }
    return good ? made : NULL;
}

/* GENERAL AUTHENTICATE of PACE: four steps. */
static void run_pace(const unsigned char *data, size_t length, Bytes *out) {
    static const unsigned char asks[] = {0, 0x81, 0x83, 0x85};
    static const unsigned char answers[] = {0x80, 0x82, 0x84, 0x86};
    size_t inner_length;
    const unsigned char *inner = find(data, length, 0x7C, &inner_length);
    int now = step;
    BUF_MEM *in = NULL, *made = NULL;
    if (inner && now > 1) in = find_buffer(inner, inner_length, asks[now - 1]);
    if (inner && now >= 1 && (in || now == 1)) made = pace_step(in);
    step = 0;
    if (!made) {
        answer(out, 0x6A80);
        return;
    }
    if (now == 4 && PACE_STEP3D_verify_authentication_token(session, in) != 1) {
        answer(out, 0x6300);
        return;
    }
    Bytes object = {.length = 0};
    append_object(&object, answers[now - 1], made->data, made->length);
    if (now == 4) {
        if (!EAC_CTX_set_encryption_ctx(session, EAC_ID_PACE)) exit(5);
        EAC_reset_ssc(session);
        protected_session = 1;
    }
    if (now == 4 && mapping == 'C') {
        BUF_MEM *encrypted = encrypted_chip_authentication_data();
        append_object(&object, 0x8A, encrypted->data, encrypted->length);
    }
    append_object(out, 0x7C, object.data, object.length);
    answer(out, 0x9000);
    step = now == 4 ? 0 : now + 1;
}

/* Chip Authentication version 1: session keys that are in force after the answer. */
static unsigned run_chip_authentication(const unsigned char *key, size_t length) {
    if (!parameters || !key) return 0x6A80;
    terminal_key = buffer(key, length);
    if (!CA_STEP4_compute_shared_secret(session, terminal_key) ||
        !derive_keys(session, session->ca_ctx->ka_ctx))
        return 0x6A80;
    restarts = 1;
    return 0x9000;
}

static unsigned verify_certificate(const unsigned char *data, size_t length) {
    Bytes whole = {.length = 0};
    unsigned char head[5] = {0x7F, 0x21, 0x82, length >> 8, length & 0xff};
    append(&whole, head, 5);
    append(&whole, data, length);
    if (!TA_STEP2_import_certificate(session, whole.data, whole.length)) return 0x6988;
    rights &= session->ta_ctx->current_cert->body->chat->relative_authorization->data[0];
    return 0x9000;
}

static int names(const CVC_CERT *certificate, const unsigned char *name, size_t length) {
    const ASN1_OCTET_STRING *holder =
        certificate ? certificate->body->certificate_holder_reference : NULL;
    return holder && (size_t)holder->length == length && !memcmp(holder->data, name, length);
}

static unsigned manage_security_environment(unsigned function, const unsigned char *data,
                                            size_t length) {
    size_t count;
    const TA_CTX *chain = session ? session->ta_ctx : NULL;
    const unsigned char *name = find(data, length, 0x83, &count);
    if (function == 0xC1A4) {
        const unsigned char *oid = find(data, length, 0x80, &count);
        char text[64] = "";
        ASN1_OBJECT *object = oid ? ASN1_OBJECT_create(0, (unsigned char *)oid, count, "", "") : NULL;
        if (object) OBJ_obj2txt(text, sizeof text, object, 1);
        if (!mapping_of(text)) return 0x6A80;
        new_session(mapping_of(text));
        step = 1;
        return 0x9000;
    }
    if (!protected_session) return 0x6985;
    if (function == 0x41A4) return parameters ? 0x9000 : 0x6A88;
    if (function == 0x41A6) {
        const unsigned char *key = find(data, length, 0x91, &count);
        return run_chip_authentication(key, count);
    }
    if (!chip_authenticated || !name) return 0x6985;
    if (function == 0x81B6)
        return names(chain->current_cert ? chain->current_cert : chain->trust_anchor, name, count)
                   ? 0x9000
                   : 0x6A88;
    return function == 0x81A4 && names(chain->current_cert, name, count) ? 0x9000 : 0x6A88;
}

static unsigned external_authenticate(const unsigned char *data, size_t length) {
    if (!session->ta_ctx->nonce) return 0x6985;
    BUF_MEM *terminal = compressed(session, EAC_ID_CA, terminal_key);
    BUF_MEM *chip = compressed(session, EAC_ID_PACE, session->pace_ctx->my_eph_pubkey);
    BUF_MEM *signature = buffer(data, length);
    if (TA_STEP6_verify(session, terminal, chip, NULL, signature) != 1) return 0x6300;
    authenticated = 1;
    return 0x9000;
}

static unsigned select_file(const unsigned char *header, const unsigned char *data, size_t length) {
    have_current = 0;
    if (header[2] == 0x04) {
        application = "lds1";
    } else if (length == 2 && (data[0] << 8 | data[1]) == 0x3F00) {
        application = "mf";
    } else if (length == 2) {
        unsigned id = data[0] << 8 | data[1];
        int sensitive = id == 0x0103 && *application == 'l' && !(authenticated && rights & 1);
        have_current = !sensitive && load_file(application, id, &current);
        return sensitive ? 0x6982 : have_current ? 0x9000 : 0x6A82;
    }
    return 0x9000;
}

static void read_binary(const unsigned char *header, size_t wanted, Bytes *out) {
    size_t offset = header[2] << 8 | header[3];
    if (header[2] & 0x80) {
        unsigned sfi = header[2] & 0x1F;
        unsigned id = *application == 'm' && sfi == 1 ? 0x2F01 : 0x0100 | sfi;
        unsigned char two[2] = {id >> 8, id & 0xff}, none[4] = {0};
        unsigned status = select_file(none, two, 2);
        int open = *application == 'm' && (id == 0x011C || id == 0x2F01);
        if (!protected_session && !open) status = 0x6982;
        if (status != 0x9000) {
            answer(out, status);
            return;
        }
        offset = header[3];
    }
    if (!have_current || (!protected_session && *application == 'l')) {
        answer(out, have_current ? 0x6982 : 0x6A82);
        return;
    }
    if (offset > current.length) {
        answer(out, 0x6B00);
        return;
    }
    size_t rest = current.length - offset, count = rest < wanted ? rest : wanted;
    append(out, current.data + offset, count);
    answer(out, count < wanted && wanted < 256 ? 0x6282 : 0x9000);
}

/* GENERAL AUTHENTICATE under secure messaging is Chip Authentication. */
static void general_authenticate(const unsigned char *data, size_t length, Bytes *out) {
    if (!protected_session) {
        run_pace(data, length, out);
        return;
    }
    size_t inner_length, key_length;
    const unsigned char *inner = find(data, length, 0x7C, &inner_length);
    const unsigned char *key = inner ? find(inner, inner_length, 0x80, &key_length) : NULL;
    unsigned status = run_chip_authentication(key, key ? key_length : 0);
    if (status == 0x9000) append(out, "\x7C\x00", 2);
    answer(out, status);
}

/* A command without its protection; `out` gets data and status. */
static void process(const unsigned char *header, const unsigned char *data, size_t length,
                    size_t wanted, Bytes *out) {
    unsigned parameter = header[2] << 8 | header[3];
    switch (header[1]) {
    case 0x22: answer(out, manage_security_environment(parameter, data, length)); return;
    case 0x86: general_authenticate(data, length, out); return;
    case 0xA4: answer(out, select_file(header, data, length)); return;
    case 0xB0: read_binary(header, wanted, out); return;
    }
    if (!chip_authenticated) {
        answer(out, 0x6D00);
    } else if (header[1] == 0x2A) {
        answer(out, verify_certificate(data, length));
    } else if (header[1] == 0x84) {
        BUF_MEM *challenge = TA_STEP4_get_nonce(session);
        append(out, challenge->data, challenge->length);
        answer(out, 0x9000);
    } else {
        answer(out, header[1] == 0x82 ? external_authenticate(data, length) : 0x6D00);
    }
}

/* Secure messaging of TR-03110-3 F: takes the command apart, answers under protection. */
static void process_protected(const unsigned char *header, const unsigned char *body,
                              size_t body_length, Bytes *out) {
    size_t mac_length, cipher_length = 0, le_length = 0;
    const unsigned char *mac = find(body, body_length, 0x8E, &mac_length);
    const unsigned char *cipher = find(body, body_length, 0x87, &cipher_length);
    const unsigned char *le = find(body, body_length, 0x97, &le_length);
    Bytes plain = {.length = 0}, result = {.length = 0}, objects = {.length = 0};
    EAC_increment_ssc(session);
    if (!mac || mac_length != 8) {
        protected_session = 0;
        answer(out, 0x6987);
        return;
    }
    /* The header padded to a block, then the objects before the MAC. */
    BUF_MEM *head = buffer(header, 4), *padded_head = EAC_add_iso_pad(session, head);
    Bytes input = {.length = 0};
    append(&input, padded_head->data, padded_head->length);
    append(&input, body, (size_t)(mac - 2 - body));
    BUF_MEM *joined = buffer(input.data, input.length);
    BUF_MEM *signed_part =
        input.length > padded_head->length ? EAC_add_iso_pad(session, joined) : joined;
    BUF_MEM *received = buffer(mac, 8);
    if (EAC_verify_authentication(session, signed_part, received) != 1) {
        protected_session = 0;
        answer(out, 0x6988);
        return;
    }
    if (cipher && cipher_length > 1) {
        BUF_MEM *encrypted = buffer(cipher + 1, cipher_length - 1);
        BUF_MEM *padded = EAC_decrypt(session, encrypted);
        BUF_MEM *data = padded ? EAC_remove_iso_pad(padded) : NULL;
        if (!data) {
            protected_session = 0;
            answer(out, 0x6988);
            return;
        }
        append(&plain, data->data, data->length);
    }
    size_t wanted = le_length == 1 ? (le[0] ? le[0] : 256) : le_length == 2 ? (le[0] << 8 | le[1]) : 0;
    if (le_length == 2 && wanted == 0) wanted = 65536;
    process(header, plain.data, plain.length, wanted, &result);

    EAC_increment_ssc(session);
    if (result.length > 2) {
        BUF_MEM *data = buffer(result.data, result.length - 2);
        BUF_MEM *padded = EAC_add_iso_pad(session, data), *encrypted = EAC_encrypt(session, padded);
        Bytes value = {.length = 0};
        append(&value, "\x01", 1);
        append(&value, encrypted->data, encrypted->length);
        append_object(&objects, 0x87, value.data, value.length);
    }
    append_object(&objects, 0x99, result.data + result.length - 2, 2);
    BUF_MEM *unsigned_part = buffer(objects.data, objects.length);
    BUF_MEM *token = EAC_authenticate(session, EAC_add_iso_pad(session, unsigned_part));
    append_object(&objects, 0x8E, token->data, 8);
    append(out, objects.data, objects.length);
    append(out, result.data + result.length - 2, 2);
    if (restarts) {
        if (!EAC_CTX_set_encryption_ctx(session, EAC_ID_CA)) exit(5);
        EAC_reset_ssc(session);
        restarts = 0, chip_authenticated = 1;
    }
}

/* Takes a command APDU apart (ISO/IEC 7816-3 12.1.3). */
static void transmit(const unsigned char *apdu, size_t length, Bytes *out) {
    size_t body_length = 0, wanted = 0, at = 5;
    if (length < 4) {
        answer(out, 0x6700);
        return;
    }
    if (length == 5) {
        wanted = apdu[4] ? apdu[4] : 256;
    } else if (length >= 7 && !apdu[4]) {
        at = 7, body_length = length == 7 ? 0 : apdu[5] << 8 | apdu[6];
        if (length == 7) wanted = apdu[5] << 8 | apdu[6];
        else if (length == 9 + body_length) wanted = apdu[length - 2] << 8 | apdu[length - 1];
        if (!wanted) wanted = 65536;
    } else if (length > 5) {
        body_length = apdu[4];
        if (length == 6 + body_length) wanted = apdu[length - 1] ? apdu[length - 1] : 256;
    }
    if (at + body_length > length && body_length) {
        answer(out, 0x6700);
    } else if ((apdu[0] & 0x0C) == 0x0C) {
        if (protected_session) process_protected(apdu, apdu + at, body_length, out);
        else answer(out, 0x6985);
    } else {
        protected_session = chip_authenticated = authenticated = 0;
        process(apdu, apdu + at, body_length, wanted, out);
    }
}

int main(int count, char **arguments) {
    static char line[140010];
    static unsigned char apdu[70000];
    static Bytes response;
    if (count != 3 && count != 7) return 2;
    can = arguments[1], folder = arguments[2];
    if (count == 7) parameters = arguments + 3;
    EAC_init();
    power_on();
    while (fgets(line, sizeof line, stdin)) {
        size_t length = from_hex(line, apdu);
        response.length = 0;
        if (length) transmit(apdu, length, &response);
        else power_on();
        for (size_t i = 0; i < response.length; i++) printf("%02x", response.data[i]);
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
