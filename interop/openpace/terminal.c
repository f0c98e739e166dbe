/*
 * A small terminal whose cryptography is all OpenPACE's (libeac): PACE, the session keys, and the
 * secure messaging of TR-03110, over PC/SC. It is the reader in a test of our card.
 *
 *     terminal READER mrz|can|pin|puk SECRET
 *
 * Opens the card in the reader whose name contains READER by the first PACEInfo of EF.CardAccess,
 * selects the travel document application and prints EF.COM in hexadecimal. For an MRZ the secret
 * is its lines without line ends.
 * Exit code 5: the card or the terminal refused; 4: no reader or no card.
 */
#include <eac/eac.h>
#include <eac/pace.h>
#include <openssl/buffer.h>
#include <openssl/objects.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <winscard.h>

typedef struct {
    unsigned char data[4096];
    size_t length;
} Bytes;

static SCARDHANDLE card;
static DWORD transport;
static EAC_CTX *pace;

static void refuse(const char *step, unsigned status) {
    fprintf(stderr, "%s: %04X\n", step, status);
    exit(5);
}

static void append(Bytes *to, const void *from, size_t length) {
    if (to->length + length > sizeof to->data) exit(3);
    memcpy(to->data + to->length, from, length);
    to->length += length;
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

/* The value of the first object with this tag. */
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

/* Sends a command; extended length where its data need it. `out` gets the data field. */
static unsigned transmit(const unsigned char *header, const Bytes *body, Bytes *out) {
    Bytes apdu = {.length = 0};
    append(&apdu, header, 4);
    if (body->length > 255) {
        unsigned char lc[3] = {0, body->length >> 8, body->length & 0xff};
        append(&apdu, lc, 3);
        append(&apdu, body->data, body->length);
        append(&apdu, "\0\0", 2);
    } else {
        unsigned char lc = body->length;
        if (lc) append(&apdu, &lc, 1);
        append(&apdu, body->data, body->length);
        append(&apdu, "\0", 1);
    }
    DWORD received = sizeof out->data;
    const SCARD_IO_REQUEST *protocol = transport == SCARD_PROTOCOL_T1 ? SCARD_PCI_T1 : SCARD_PCI_T0;
    LONG result =
        SCardTransmit(card, protocol, apdu.data, apdu.length, NULL, out->data, &received);
    if (result != SCARD_S_SUCCESS || received < 2) exit(4);
    out->length = received - 2;
    return out->data[received - 2] << 8 | out->data[received - 1];
}

static void connect_card(const char *name) {
    SCARDCONTEXT context;
    char readers[2048];
    DWORD length = sizeof readers;
    if (SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context) != SCARD_S_SUCCESS ||
        SCardListReaders(context, NULL, readers, &length) != SCARD_S_SUCCESS)
        exit(4);
    for (char *reader = readers; *reader; reader += strlen(reader) + 1) {
        if (!strstr(reader, name)) continue;
        if (SCardConnect(context, reader, SCARD_SHARE_SHARED,
                         SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &card,
                         &transport) == SCARD_S_SUCCESS)
            return;
    }
    fprintf(stderr, "no card in a reader %s\n", name);
    exit(4);
}

/* One step of GENERAL AUTHENTICATE; gives the object with the tag of the answer. */
static BUF_MEM *authenticate_step(unsigned char asked, const BUF_MEM *value,
                                  unsigned char answered, int last) {
    unsigned char header[4] = {last ? 0x00 : 0x10, 0x86, 0, 0};
    Bytes inner = {.length = 0}, body = {.length = 0}, out;
    if (value) append_object(&inner, asked, value->data, value->length);
    append_object(&body, 0x7C, inner.data, inner.length);
    unsigned status = transmit(header, &body, &out);
    if (status != 0x9000) refuse("GENERAL AUTHENTICATE", status);
    size_t length, count;
    const unsigned char *data = find(out.data, out.length, 0x7C, &length);
    const unsigned char *found = data ? find(data, length, answered, &count) : NULL;
    if (!found) refuse("no such object in the answer", answered);
    return buffer(found, count);
}

static void select_protocol(unsigned char reference) {
    static const unsigned char header[4] = {0x00, 0x22, 0xC1, 0xA4};
    const ASN1_OBJECT *oid = OBJ_nid2obj(pace->pace_ctx->protocol);
    Bytes body = {.length = 0}, out;
    append_object(&body, 0x80, OBJ_get0_data(oid), OBJ_length(oid));
    append_object(&body, 0x83, &reference, 1);
    unsigned status = transmit(header, &body, &out);
    if (status != 0x9000 && status >> 4 != 0x63C) refuse("MSE:Set AT", status);
}

static void run_pace(const PACE_SEC *secret, unsigned char reference) {
    select_protocol(reference);
    BUF_MEM *nonce = authenticate_step(0, NULL, 0x80, 0);
    if (!PACE_STEP2_dec_nonce(pace, secret, nonce)) refuse("nonce", 0);
    BUF_MEM *mapping = PACE_STEP3A_generate_mapping_data(pace);
    BUF_MEM *card_mapping = authenticate_step(0x81, mapping, 0x82, 0);
    if (!PACE_STEP3A_map_generator(pace, card_mapping)) refuse("mapping", 0);
    BUF_MEM *key = PACE_STEP3B_generate_ephemeral_key(pace);
    BUF_MEM *card_key = authenticate_step(0x83, key, 0x84, 0);
    if (!PACE_STEP3B_compute_shared_secret(pace, card_key) || !PACE_STEP3C_derive_keys(pace))
        refuse("key agreement", 0);
    BUF_MEM *token = PACE_STEP3D_compute_authentication_token(pace, card_key);
    BUF_MEM *card_token = authenticate_step(0x85, token, 0x86, 1);
    if (PACE_STEP3D_verify_authentication_token(pace, card_token) != 1)
        refuse("the card's token", 0);
    if (!EAC_CTX_set_encryption_ctx(pace, EAC_ID_PACE)) exit(3);
}

/* A command under secure messaging; gives the status word of DO'99'. */
static unsigned transmit_protected(const unsigned char *header, const void *data, size_t length,
                                   Bytes *out) {
    unsigned char protected_header[4] = {header[0] | 0x0C, header[1], header[2], header[3]};
    Bytes body = {.length = 0}, input = {.length = 0}, response;
    EAC_increment_ssc(pace);
    if (length) {
        BUF_MEM *encrypted = EAC_encrypt(pace, EAC_add_iso_pad(pace, buffer(data, length)));
        Bytes value = {.length = 0};
        append(&value, "\x01", 1);
        append(&value, encrypted->data, encrypted->length);
        append_object(&body, 0x87, value.data, value.length);
    } else {
        append_object(&body, 0x97, "\0", 1);
    }
    BUF_MEM *head = EAC_add_iso_pad(pace, buffer(protected_header, 4));
    append(&input, head->data, head->length);
    append(&input, body.data, body.length);
    BUF_MEM *mac = EAC_authenticate(pace, EAC_add_iso_pad(pace, buffer(input.data, input.length)));
    append_object(&body, 0x8E, mac->data, 8);
    unsigned status = transmit(protected_header, &body, &response);
    size_t mac_length, cipher_length, status_length;
    const unsigned char *received = find(response.data, response.length, 0x8E, &mac_length);
    const unsigned char *inner = find(response.data, response.length, 0x99, &status_length);
    if (!received || mac_length != 8 || !inner || status_length != 2)
        refuse("no secure messaging in the answer", status);
    EAC_increment_ssc(pace);
    BUF_MEM *objects = buffer(response.data, (size_t)(received - 2 - response.data));
    if (EAC_verify_authentication(pace, EAC_add_iso_pad(pace, objects), buffer(received, 8)) != 1)
        refuse("MAC of the answer", status);
    out->length = 0;
    const unsigned char *cipher = find(response.data, response.length, 0x87, &cipher_length);
    if (cipher && cipher_length > 1) {
        BUF_MEM *padded = EAC_decrypt(pace, buffer(cipher + 1, cipher_length - 1));
        BUF_MEM *plain = padded ? EAC_remove_iso_pad(padded) : NULL;
        if (!plain) refuse("padding of the answer", status);
        append(out, plain->data, plain->length);
    }
    return inner[0] << 8 | inner[1];
}

static void read_card_access(void) {
    static const unsigned char header[4] = {0x00, 0xB0, 0x9C, 0x00};
    Bytes none = {.length = 0}, out;
    unsigned status = transmit(header, &none, &out);
    if (status != 0x9000 && status != 0x6282) refuse("EF.CardAccess", status);
    if (!EAC_CTX_init_ef_cardaccess(out.data, out.length, pace)) refuse("EF.CardAccess", 0);
}

int main(int count, char **arguments) {
    static const char *const names[] = {"mrz", "can", "pin", "puk"};
    static const unsigned char select[4] = {0x00, 0xA4, 0x04, 0x0C};
    static const unsigned char read_com[4] = {0x00, 0xB0, 0x9E, 0x00};
    unsigned char reference = 0;
    Bytes out;
    if (count != 4) return 2;
    for (unsigned char i = 0; i < 4; i++)
        if (!strcmp(arguments[2], names[i])) reference = i + 1;
    if (!reference) return 2;
    EAC_init();
    pace = EAC_CTX_new();
    connect_card(arguments[1]);
    read_card_access();
    run_pace(PACE_SEC_new(arguments[3], strlen(arguments[3]), (enum s_type)reference), reference);
    unsigned status = transmit_protected(select, "\xA0\x00\x00\x02\x47\x10\x01", 7, &out);
    if (status != 0x9000) refuse("SELECT", status);
    status = transmit_protected(read_com, NULL, 0, &out);
    if (status != 0x9000 && status != 0x6282) refuse("EF.COM", status);
    for (size_t i = 0; i < out.length; i++) printf("%02x", out.data[i]);
    printf("\n");
    SCardDisconnect(card, SCARD_RESET_CARD);
    return 0;
}
