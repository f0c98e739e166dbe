/*
 * A small travel document whose cryptography is all OpenPACE's (libeac): PACE with the CAN, the
 * session keys, and the secure messaging of TR-03110. It is the card side in a test of our reader.
 *
 *     card CAN FOLDER    reads FOLDER/011C (EF.CardAccess) and FOLDER/FFFF by file identifier
 *
 * One command APDU in hexadecimal a line on standard input, one response a line on standard output.
 * An empty line is a reset.
 */
#include <ctype.h>
#include <eac/eac.h>
#include <eac/pace.h>
#include <openssl/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    unsigned char data[70000];
    size_t length;
} Bytes;

static const char *can, *folder;
static Bytes card_access, current;
static int have_current, in_application;
static EAC_CTX *pace;
static PACE_SEC *secret;
static BUF_MEM *host_key;
static int step, protected_session;

static void append(Bytes *to, const void *from, size_t length) {
    if (to->length + length <= sizeof to->data) {
        memcpy(to->data + to->length, from, length);
        to->length += length;
    }
}

static void append_status(Bytes *to, unsigned status) {
    unsigned char bytes[2] = {status >> 8, status & 0xff};
    append(to, bytes, 2);
}

static void append_object(Bytes *to, unsigned char tag, const void *value, size_t length) {
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

static BUF_MEM *buffer(const void *from, size_t length) {
    BUF_MEM *made = BUF_MEM_new();
    if (!made || !BUF_MEM_grow(made, length)) exit(3);
    memcpy(made->data, from, length);
    return made;
}

static int load(unsigned id, Bytes *to) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%04X", folder, id);
    FILE *file = fopen(path, "rb");
    if (!file) return 0;
    to->length = fread(to->data, 1, sizeof to->data, file);
    fclose(file);
    return 1;
}

static void power_on(void) {
    EAC_CTX_clear_free(pace);
    PACE_SEC_clear_free(secret);
    pace = EAC_CTX_new();
    secret = PACE_SEC_new(can, strlen(can), PACE_CAN);
    if (!pace || !secret ||
        !EAC_CTX_init_ef_cardaccess(card_access.data, card_access.length, pace))
        exit(4);
    have_current = in_application = step = protected_session = 0;
}

/* The value of the first object with this tag; lengths up to two bytes. */
static const unsigned char *find(const unsigned char *at, size_t left, unsigned char tag,
                                 size_t *length) {
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

/* GENERAL AUTHENTICATE: the four steps of PACE with Generic Mapping. */
static void general_authenticate(const unsigned char *data, size_t length, Bytes *out) {
    static const unsigned char asks[] = {0, 0x81, 0x83, 0x85};
    static const unsigned char answers[] = {0x80, 0x82, 0x84, 0x86};
    size_t inner_length, value_length = 0;
    const unsigned char *inner = find(data, length, 0x7C, &inner_length), *value = NULL;
    BUF_MEM *in = NULL, *answer = NULL;
    int good = inner && step >= 1 && step <= 4;
    if (good && step > 1) {
        value = find(inner, inner_length, asks[step - 1], &value_length);
        if (value) in = buffer(value, value_length);
        good = in != NULL;
    }
    if (good && step == 1) {
        answer = PACE_STEP1_enc_nonce(pace, secret);
    } else if (good && step == 2) {
        answer = PACE_STEP3A_generate_mapping_data(pace);
        good = answer && PACE_STEP3A_map_generator(pace, in);
    } else if (good && step == 3) {
        answer = PACE_STEP3B_generate_ephemeral_key(pace);
        good = answer && PACE_STEP3B_compute_shared_secret(pace, in) &&
               PACE_STEP3C_derive_keys(pace);
        host_key = buffer(value, value_length);
    } else if (good) {
        answer = PACE_STEP3D_compute_authentication_token(pace, host_key);
        good = PACE_STEP3D_verify_authentication_token(pace, in) == 1;
        if (!good) {
            step = 0;
            append_status(out, 0x6300);
            return;
        }
    }
    if (!good || !answer) {
        step = 0;
        append_status(out, 0x6A80);
        return;
    }
    Bytes object = {.length = 0};
    append_object(&object, answers[step - 1], answer->data, answer->length);
    append_object(out, 0x7C, object.data, object.length);
    append_status(out, 0x9000);
    if (step == 4) {
        if (!EAC_CTX_set_encryption_ctx(pace, EAC_ID_PACE)) exit(5);
        protected_session = 1;
    }
    step = step == 4 ? 0 : step + 1;
}

/* SELECT and READ BINARY; `out` gets data and status. */
static void process(const unsigned char *header, const unsigned char *data, size_t length,
                    size_t wanted, Bytes *out) {
    unsigned p1 = header[2], p2 = header[3];
    if (header[1] == 0xA4) {
        if (p1 == 0x04) {
            in_application = 1, have_current = 0;
        } else if (length == 2 && (data[0] << 8 | data[1]) != 0x3F00) {
            unsigned id = data[0] << 8 | data[1];
            have_current = load(id, &current);
            append_status(out, have_current ? 0x9000 : 0x6A82);
            return;
        }
        append_status(out, 0x9000);
        return;
    }
    if (header[1] != 0xB0) {
        append_status(out, 0x6D00);
        return;
    }
    size_t offset = p1 << 8 | p2;
    if (p1 & 0x80) {
        unsigned id = 0x0100 | (p1 & 0x1F);
        if (id == 0x011C && !in_application) current = card_access, have_current = 1;
        else if (!protected_session) {
            append_status(out, 0x6982);
            return;
        } else have_current = load(id, &current);
        offset = p2;
    }
    if (!have_current || (!protected_session && in_application)) {
        append_status(out, have_current ? 0x6982 : 0x6A82);
        return;
    }
    if (offset > current.length) {
        append_status(out, 0x6B00);
        return;
    }
    size_t rest = current.length - offset, count = rest < wanted ? rest : wanted;
    append(out, current.data + offset, count);
    append_status(out, count < wanted && wanted < 256 ? 0x6282 : 0x9000);
}

/* Secure messaging of TR-03110-3 F: takes the command apart, answers under protection. */
static void process_protected(const unsigned char *header, const unsigned char *body,
                              size_t body_length, Bytes *out) {
    size_t mac_length, cipher_length = 0, le_length = 0;
    const unsigned char *mac = find(body, body_length, 0x8E, &mac_length);
    const unsigned char *cipher = find(body, body_length, 0x87, &cipher_length);
    const unsigned char *le = find(body, body_length, 0x97, &le_length);
    Bytes plain = {.length = 0}, result = {.length = 0}, objects = {.length = 0};
    EAC_increment_ssc(pace);
    if (!mac || mac_length != 8) {
        protected_session = 0;
        append_status(out, 0x6987);
        return;
    }
    /* The header padded to a block, then the objects before the MAC. */
    BUF_MEM *head = buffer(header, 4), *padded_head = EAC_add_iso_pad(pace, head);
    Bytes input = {.length = 0};
    append(&input, padded_head->data, padded_head->length);
    append(&input, body, (size_t)(mac - 2 - body));
    BUF_MEM *joined = buffer(input.data, input.length);
    BUF_MEM *authenticated =
        input.length > padded_head->length ? EAC_add_iso_pad(pace, joined) : joined;
    BUF_MEM *received = buffer(mac, 8);
    if (EAC_verify_authentication(pace, authenticated, received) != 1) {
        protected_session = 0;
        append_status(out, 0x6988);
        return;
    }
    if (cipher && cipher_length > 1) {
        BUF_MEM *encrypted = buffer(cipher + 1, cipher_length - 1);
        BUF_MEM *padded = EAC_decrypt(pace, encrypted);
        BUF_MEM *data = padded ? EAC_remove_iso_pad(padded) : NULL;
        if (!data) {
            protected_session = 0;
            append_status(out, 0x6988);
            return;
        }
        append(&plain, data->data, data->length);
    }
    size_t wanted = le_length == 1 ? (le[0] ? le[0] : 256) : le_length == 2 ? (le[0] << 8 | le[1]) : 0;
    if (le_length == 2 && wanted == 0) wanted = 65536;
    process(header, plain.data, plain.length, wanted, &result);

    EAC_increment_ssc(pace);
    if (result.length > 2) {
        BUF_MEM *data = buffer(result.data, result.length - 2);
        BUF_MEM *padded = EAC_add_iso_pad(pace, data), *encrypted = EAC_encrypt(pace, padded);
        Bytes value = {.length = 0};
        append(&value, "\x01", 1);
        append(&value, encrypted->data, encrypted->length);
        append_object(&objects, 0x87, value.data, value.length);
    }
    append_object(&objects, 0x99, result.data + result.length - 2, 2);
    BUF_MEM *answer = buffer(objects.data, objects.length);
    BUF_MEM *token = EAC_authenticate(pace, EAC_add_iso_pad(pace, answer));
    append_object(&objects, 0x8E, token->data, 8);
    append(out, objects.data, objects.length);
    append(out, result.data + result.length - 2, 2);
}

static void transmit(const unsigned char *apdu, size_t length, Bytes *out) {
    const unsigned char *body = apdu + 5;
    size_t body_length = 0, wanted = 0;
    if (length < 4) {
        append_status(out, 0x6700);
        return;
    }
    if (length == 5) {
        wanted = apdu[4] ? apdu[4] : 256;
    } else if (length > 5) {
        body_length = apdu[4];
        if (length != 5 + body_length && length != 6 + body_length) {
            append_status(out, 0x6700);
            return;
        }
        if (length == 6 + body_length) wanted = apdu[length - 1] ? apdu[length - 1] : 256;
    }
    if ((apdu[0] & 0x0C) == 0x0C) {
        if (protected_session) process_protected(apdu, body, body_length, out);
        else append_status(out, 0x6985);
    } else if (apdu[1] == 0x22) {
        step = 1;
        append_status(out, 0x9000);
    } else if (apdu[1] == 0x86) {
        general_authenticate(body, body_length, out);
    } else {
        protected_session = 0;
        process(apdu, body, body_length, wanted, out);
    }
}

int main(int count, char **arguments) {
    static char line[140010];
    static unsigned char apdu[70000];
    if (count != 3) return 2;
    can = arguments[1], folder = arguments[2];
    if (!load(0x011C, &card_access)) return 2;
    EAC_init();
    power_on();
    while (fgets(line, sizeof line, stdin)) {
        size_t length = 0;
        for (char *at = line; isxdigit((unsigned char)at[0]) && isxdigit((unsigned char)at[1]);
             at += 2) {
            unsigned byte;
            sscanf(at, "%2x", &byte);
            apdu[length++] = byte;
        }
        Bytes *out = calloc(1, sizeof *out);
        if (length == 0) power_on();
        else transmit(apdu, length, out);
        for (size_t i = 0; i < out->length; i++) printf("%02x", out->data[i]);
        printf("\n");
        fflush(stdout);
        free(out);
    }
    return 0;
}
