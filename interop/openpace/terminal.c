/*
 * A small terminal whose cryptography is all OpenPACE's (libeac) and OpenSSL's, over PC/SC: PACE,
 * secure messaging, Chip Authentication and Terminal Authentication. It is the reader in a test of
 * our card.
 *
 *     terminal [-m I|C] [-c INDEX] [-k KEY -t CVCA -t DV -t IS] [-f FID] READER mrz|can|pin|puk SECRET
 *
 * Opens the card in the reader whose name contains READER by the first PACEInfo of EF.CardAccess
 * that has the mapping, selects the travel document application and prints a file of it, EF.COM at first, in hexadecimal.
 * For an MRZ the secret is its lines without line ends.
 *
 *     -m  PACE with Integrated Mapping, or with Chip Authentication Mapping and the chip checked
 *         against EF.CardSecurity
 *     -c  then Chip Authentication by that ChipAuthenticationInfo of EF.DG14, the first is 0
 *     -k  then Terminal Authentication with the private key in the file (DER); the first -t is the
 *         trust point, the others go to the card
 *
 * Exit code 5: the card or the terminal refused; 4: no reader or no card.
 */
#include "mappings.h"

#include <eac/cv_cert.h>
#include <eac/ta.h>
#include <openssl/cms.h>
#include <openssl/x509.h>
#include <unistd.h>
#include <winscard.h>

#define NO_LE (-1)
/* What READ BINARY asks for: protected, it fits into a short answer. */
#define BLOCK 0xDF

static SCARDHANDLE card;
static DWORD transport;
static EAC_CTX *session;
/* The ephemeral keys of the chip: of the mapping and of the key agreement. */
static BUF_MEM *chip_mapping, *chip_key;
/* The terminal's ephemeral key that secure messaging rests on, and whose protocol it is of. */
static BUF_MEM *terminal_key;
static int terminal_key_of = EAC_ID_PACE;

static void refuse(const char *step, unsigned status) {
    fprintf(stderr, "%s: %04X\n", step, status);
    exit(5);
}

static void expect(unsigned status, const char *step) {
    if (status != 0x9000) refuse(step, status);
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

/* A command under secure messaging, with an Le unless it is negative; gives the status word of
 * DO'99'. */
static unsigned transmit_protected(const unsigned char *header, const void *data, size_t length,
                                   int le, Bytes *out) {
    unsigned char protected_header[4] = {header[0] | 0x0C, header[1], header[2], header[3]};
    Bytes body = {.length = 0}, input = {.length = 0}, response;
    EAC_increment_ssc(session);
    if (length) {
        BUF_MEM *encrypted =
            EAC_encrypt(session, EAC_add_iso_pad(session, buffer(data, length)));
        Bytes value = {.length = 0};
        append(&value, "\x01", 1);
        append(&value, encrypted->data, encrypted->length);
        append_object(&body, 0x87, value.data, value.length);
    }
    unsigned char expected = le;
    if (le >= 0) append_object(&body, 0x97, &expected, 1);
    BUF_MEM *head = EAC_add_iso_pad(session, buffer(protected_header, 4));
    append(&input, head->data, head->length);
    append(&input, body.data, body.length);
    if (body.length) head = EAC_add_iso_pad(session, buffer(input.data, input.length));
    BUF_MEM *mac = EAC_authenticate(session, head);
    append_object(&body, 0x8E, mac->data, 8);
    unsigned status = transmit(protected_header, &body, &response);
    size_t mac_length, cipher_length, status_length;
    const unsigned char *received = find(response.data, response.length, 0x8E, &mac_length);
    const unsigned char *inner = find(response.data, response.length, 0x99, &status_length);
    if (!received || mac_length != 8 || !inner || status_length != 2)
        refuse("no secure messaging in the answer", status);
    EAC_increment_ssc(session);
    BUF_MEM *objects = buffer(response.data, (size_t)(received - 2 - response.data));
    BUF_MEM *token = buffer(received, 8);
    if (EAC_verify_authentication(session, EAC_add_iso_pad(session, objects), token) != 1)
        refuse("MAC of the answer", status);
    out->length = 0;
    const unsigned char *cipher = find(response.data, response.length, 0x87, &cipher_length);
    if (cipher && cipher_length > 1) {
        BUF_MEM *padded = EAC_decrypt(session, buffer(cipher + 1, cipher_length - 1));
        BUF_MEM *plain = padded ? EAC_remove_iso_pad(padded) : NULL;
        if (!plain) refuse("padding of the answer", status);
        append(out, plain->data, plain->length);
    }
    return inner[0] << 8 | inner[1];
}

/* One step of GENERAL AUTHENTICATE; `out` gets what is in the Dynamic Authentication Data. */
static BUF_MEM *pace_step(unsigned char asked, const BUF_MEM *value, unsigned char answered,
                          Bytes *objects) {
    unsigned char header[4] = {asked == 0x85 ? 0x00 : 0x10, 0x86, 0, 0};
    Bytes inner = {.length = 0}, body = {.length = 0}, out;
    if (value) append_object(&inner, asked, value->data, value->length);
    append_object(&body, 0x7C, inner.data, inner.length);
    unsigned status = transmit(header, &body, &out);
    if (status != 0x9000) refuse("GENERAL AUTHENTICATE", status);
    size_t length;
    const unsigned char *data = find(out.data, out.length, 0x7C, &length);
    BUF_MEM *found = data ? find_buffer(data, length, answered) : NULL;
    if (!found) refuse("no such object in the answer", answered);
    objects->length = 0;
    append(objects, data, length);
    return found;
}

static void select_pace(unsigned char password) {
    static const unsigned char header[4] = {0x00, 0x22, 0xC1, 0xA4};
    const ASN1_OBJECT *oid = OBJ_nid2obj(session->pace_ctx->protocol);
    Bytes body = {.length = 0}, out;
    append_object(&body, 0x80, OBJ_get0_data(oid), OBJ_length(oid));
    append_object(&body, 0x83, &password, 1);
    unsigned status = transmit(header, &body, &out);
    if (status != 0x9000 && status >> 4 != 0x63C) refuse("MSE:Set AT", status);
}

/* PACE; `last` gets the objects of the last answer. */
static void run_pace(const PACE_SEC *secret, unsigned char password, Bytes *last) {
    Bytes ignored;
    select_pace(password);
    BUF_MEM *nonce = pace_step(0, NULL, 0x80, &ignored);
    if (!PACE_STEP2_dec_nonce(session, secret, nonce)) refuse("nonce", 0);
    BUF_MEM *mapping = PACE_STEP3A_generate_mapping_data(session);
    chip_mapping = pace_step(0x81, mapping, 0x82, &ignored);
    int integrated = session->pace_ctx->map_generate_key == integrated_nonce;
    if (integrated && chip_mapping->length) refuse("Mapping Data that are to be empty", 0);
    if (!PACE_STEP3A_map_generator(session, integrated ? mapping : chip_mapping))
        refuse("mapping", 0);
    terminal_key = PACE_STEP3B_generate_ephemeral_key(session);
    chip_key = pace_step(0x83, terminal_key, 0x84, &ignored);
    if (!PACE_STEP3B_compute_shared_secret(session, chip_key) ||
        !derive_keys(session, session->pace_ctx->ka_ctx))
        refuse("key agreement", 0);
    BUF_MEM *token = PACE_STEP3D_compute_authentication_token(session, chip_key);
    BUF_MEM *chip_token = pace_step(0x85, token, 0x86, last);
    if (PACE_STEP3D_verify_authentication_token(session, chip_token) != 1)
        refuse("the card's token", 0);
    if (!EAC_CTX_set_encryption_ctx(session, EAC_ID_PACE)) exit(3);
    EAC_reset_ssc(session);
}

/* Reads a file by its short identifier, in short commands. */
static void read_file(unsigned char sfi, Bytes *file, const char *name) {
    file->length = 0;
    for (;;) {
        unsigned char header[4] = {0x00, 0xB0, file->length >> 8, file->length & 0xff};
        Bytes out;
        if (!file->length) header[2] = 0x80 | sfi;
        unsigned status = transmit_protected(header, NULL, 0, BLOCK, &out);
        if (status != 0x9000 && status != 0x6282) refuse(name, status);
        append(file, out.data, out.length);
        size_t total = file->data[1], head = 2;
        if (total == 0x81) total = file->data[2], head = 3;
        else if (total == 0x82) total = file->data[2] << 8 | file->data[3], head = 4;
        if (file->length >= head + total || !out.length) return;
    }
}

static void read_card_access(char mapping) {
    static const unsigned char header[4] = {0x00, 0xB0, 0x9C, 0x00};
    Bytes none = {.length = 0}, out;
    unsigned status = transmit(header, &none, &out);
    if (status != 0x9000 && status != 0x6282) refuse("EF.CardAccess", status);
    if (!prepare_pace(session, &out, mapping)) refuse("EF.CardAccess", 0);
}

/* The SecurityInfos that EF.CardSecurity signs; whose signature it is, is not looked at. */
static ASN1_OCTET_STRING *signed_infos(const Bytes *card_security) {
    const unsigned char *at = card_security->data;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, card_security->length);
    ASN1_OCTET_STRING **content = cms ? CMS_get0_content(cms) : NULL;
    if (!content || !*content) refuse("EF.CardSecurity", 0);
    return *content;
}

/* PK.Map = KA(CA.IC, PK.IC) with the chip's key in EF.CardSecurity (9303-11 4.4.3.5.2). */
static void check_chip_mapping(const Bytes *last) {
    Bytes file;
    const unsigned char *end;
    SecurityInfo info;
    BUF_MEM *encrypted = find_buffer(last->data, last->length, 0x8A), *data = NULL, *plain = NULL;
    if (encrypted) data = chip_authentication_data(session, encrypted, EAC_decrypt);
    if (data) plain = EAC_remove_iso_pad(data);
    if (!plain) refuse("Encrypted Chip Authentication Data", 0);
    read_file(0x1D, &file, "EF.CardSecurity");
    const ASN1_OCTET_STRING *infos = signed_infos(&file);
    const unsigned char *at = open_infos(infos->data, infos->length, &end);
    while (at && next_info(&at, end, &info)) {
        if (strcmp(info.oid, "0.4.0.127.0.7.2.2.1.2")) continue;
        EVP_PKEY *key = d2i_PUBKEY(NULL, &info.required, info.required_length);
        const EC_KEY *ec = key ? EVP_PKEY_get0_EC_KEY(key) : NULL;
        if (!ec) refuse("the chip's key in EF.CardSecurity", 0);
        const EC_GROUP *group = EC_KEY_get0_group(ec);
        EC_POINT *expected = EC_POINT_new(group), *sent = EC_POINT_new(group);
        BIGNUM *number = BN_bin2bn((unsigned char *)plain->data, plain->length, NULL);
        if (EC_POINT_mul(group, expected, NULL, EC_KEY_get0_public_key(ec), number, NULL) &&
            EC_POINT_oct2point(group, sent, (unsigned char *)chip_mapping->data,
                               chip_mapping->length, NULL) &&
            !EC_POINT_cmp(group, expected, sent, NULL))
            return;
    }
    refuse("the chip has not the key of EF.CardSecurity", 0);
}

/* Whether the standardised domain parameters of the context are those of the chip's key. */
static int same_parameters(const EVP_PKEY *ours, const EVP_PKEY *chip) {
    if (EVP_PKEY_base_id(ours) == EVP_PKEY_EC || EVP_PKEY_base_id(chip) == EVP_PKEY_EC) {
        const EC_KEY *a = EVP_PKEY_get0_EC_KEY(ours), *b = EVP_PKEY_get0_EC_KEY(chip);
        return a && b && !EC_GROUP_cmp(EC_KEY_get0_group(a), EC_KEY_get0_group(b), NULL);
    }
    const DH *a = EVP_PKEY_get0_DH(ours), *b = EVP_PKEY_get0_DH(chip);
    return a && b && !BN_cmp(DH_get0_p(a), DH_get0_p(b)) && !BN_cmp(DH_get0_g(a), DH_get0_g(b));
}

/* Finds the ChipAuthenticationInfo and its key; prepares libeac for them and gives the key. */
static BUF_MEM *prepare_chip_authentication(const Bytes *dg14, int index, SecurityInfo *chosen) {
    size_t length;
    const unsigned char *infos = find(dg14->data, dg14->length, 0x6E, &length), *at, *end;
    SecurityInfo info;
    EVP_PKEY *chip = NULL;
    chosen->oid[0] = 0;
    for (at = infos ? open_infos(infos, length, &end) : NULL; at && next_info(&at, end, &info);)
        if (!strncmp(info.oid, "0.4.0.127.0.7.2.2.3.", 20) && index-- == 0) *chosen = info;
    if (!chosen->oid[0]) refuse("no such ChipAuthenticationInfo", 0);
    for (at = open_infos(infos, length, &end); !chip && next_info(&at, end, &info);)
        if (!strncmp(info.oid, "0.4.0.127.0.7.2.2.1.", 20) && info.oid[20] == chosen->oid[20] &&
            info.number == chosen->number)
            chip = d2i_PUBKEY(NULL, &info.required, info.required_length);
    if (!chip) refuse("no key for the ChipAuthenticationInfo", 0);
    for (int id = 0; id <= 18; id++) {
        if (!EAC_CTX_init_ca(session, OBJ_txt2nid(chosen->oid), id) ||
            !same_parameters(session->ca_ctx->ka_ctx->key, chip))
            continue;
        unsigned char *key = NULL;
        if (EVP_PKEY_base_id(chip) == EVP_PKEY_EC)
            length = i2o_ECPublicKey(EVP_PKEY_get0_EC_KEY(chip), &key);
        else {
            key = OPENSSL_malloc(BN_num_bytes(DH_get0_pub_key(EVP_PKEY_get0_DH(chip))));
            length = BN_bn2bin(DH_get0_pub_key(EVP_PKEY_get0_DH(chip)), key);
        }
        return buffer(key, length);
    }
    refuse("domain parameters of the chip's key", 0);
    return NULL;
}

/* Chip Authentication version 1 (9303-11 6.2), by the sequence that the cipher asks for. */
static void run_chip_authentication(int index) {
    static const unsigned char set_kat[4] = {0x00, 0x22, 0x41, 0xA6};
    static const unsigned char set_at[4] = {0x00, 0x22, 0x41, 0xA4};
    static const unsigned char general_authenticate[4] = {0x00, 0x86, 0, 0};
    Bytes dg14, body = {.length = 0}, inner = {.length = 0}, out;
    SecurityInfo info;
    read_file(0x0E, &dg14, "EF.DG14");
    BUF_MEM *chip = prepare_chip_authentication(&dg14, index, &info);
    if (!TA_STEP3_generate_ephemeral_key(session)) refuse("ephemeral key", 0);
    terminal_key = CA_STEP2_get_eph_pubkey(session), terminal_key_of = EAC_ID_CA;
    unsigned char key_id = info.number;
    if (info.oid[strlen(info.oid) - 1] == '1') {
        append_object(&body, 0x91, terminal_key->data, terminal_key->length);
        if (info.number >= 0) append_object(&body, 0x84, &key_id, 1);
        expect(transmit_protected(set_kat, body.data, body.length, NO_LE, &out), "MSE:Set KAT");
    } else {
        const ASN1_OBJECT *oid = OBJ_nid2obj(OBJ_txt2nid(info.oid));
        append_object(&body, 0x80, OBJ_get0_data(oid), OBJ_length(oid));
        if (info.number >= 0) append_object(&body, 0x84, &key_id, 1);
        expect(transmit_protected(set_at, body.data, body.length, NO_LE, &out), "MSE:Set AT");
        append_object(&inner, 0x80, terminal_key->data, terminal_key->length);
        body.length = 0;
        append_object(&body, 0x7C, inner.data, inner.length);
        expect(transmit_protected(general_authenticate, body.data, body.length, 0, &out),
               "GENERAL AUTHENTICATE");
        if (out.length != 2 || out.data[0] != 0x7C || out.data[1])
            refuse("Dynamic Authentication Data", 0);
    }
    if (!CA_STEP4_compute_shared_secret(session, chip) ||
        !derive_keys(session, session->ca_ctx->ka_ctx) ||
        !EAC_CTX_set_encryption_ctx(session, EAC_ID_CA))
        refuse("key agreement", 0);
    EAC_reset_ssc(session);
}

/* Sends a reference in DO'83'. */
static void set_reference(const unsigned char *header, const ASN1_OCTET_STRING *name,
                          const char *step) {
    Bytes body = {.length = 0}, out;
    append_object(&body, 0x83, name->data, name->length);
    expect(transmit_protected(header, body.data, body.length, NO_LE, &out), step);
}

/* Terminal Authentication version 1 (9303-11 7.1) after PACE and Chip Authentication, or after PACE
 * with Chip Authentication Mapping. */
static void run_terminal_authentication(const char *key_path, int count, char **paths) {
    static const unsigned char set_dst[4] = {0x00, 0x22, 0x81, 0xB6};
    static const unsigned char verify[4] = {0x00, 0x2A, 0x00, 0xBE};
    static const unsigned char set_at[4] = {0x00, 0x22, 0x81, 0xA4};
    static const unsigned char challenge[4] = {0x00, 0x84, 0, 0};
    static const unsigned char authenticate[4] = {0x00, 0x82, 0, 0};
    Bytes file, out;
    CVC_CERT *certificate = NULL;
    if (!load(paths[0], &file) ||
        !EAC_CTX_init_ta(session, NULL, 0, file.data, file.length))
        refuse("trust point", 0);
    TA_disable_checks(session); /* the date is the card's matter */
    for (int i = 1; i < count; i++) {
        long length;
        int tag, class;
        if (!load(paths[i], &file) ||
            !TA_STEP2_import_certificate(session, file.data, file.length))
            refuse(paths[i], 0);
        const unsigned char *at = file.data;
        certificate = CVC_d2i_CVC_CERT(NULL, &at, file.length);
        set_reference(set_dst, certificate->body->certificate_authority_reference, "MSE:Set DST");
        at = file.data;
        ASN1_get_object(&at, &length, &tag, &class, file.length);
        expect(transmit_protected(verify, at, length, NO_LE, &out), "PSO:Verify Certificate");
    }
    /* Not before the chain: the library would take it for the key of every certificate. */
    const unsigned char *key = file.data;
    if (!load(key_path, &file) || !d2i_AutoPrivateKey(&session->ta_ctx->priv_key, &key, file.length))
        refuse("key of the terminal", 0);
    set_reference(set_at, certificate->body->certificate_holder_reference, "MSE:Set AT for TA");
    expect(transmit_protected(challenge, NULL, 0, 8, &out), "GET CHALLENGE");
    TA_STEP4_set_nonce(session, buffer(out.data, out.length));
    BUF_MEM *chip = compressed(session, EAC_ID_PACE, chip_key);
    BUF_MEM *own = compressed(session, terminal_key_of, terminal_key);
    BUF_MEM *signature = TA_STEP5_sign(session, own, chip, NULL);
    if (!signature) refuse("signature of the terminal", 0);
    EVP_PKEY *signer = session->ta_ctx->priv_key;
    if (EVP_PKEY_base_id(signer) == EVP_PKEY_EC)
        signature = widened_signature(signature, (EVP_PKEY_bits(signer) + 7) / 8);
    expect(transmit_protected(authenticate, signature->data, signature->length, NO_LE, &out),
           "EXTERNAL AUTHENTICATE");
}

int main(int count, char **arguments) {
    static const char *const names[] = {"mrz", "can", "pin", "puk"};
    static const unsigned char select[4] = {0x00, 0xA4, 0x04, 0x0C};
    char *certificates[8], *key = NULL;
    int certificate_count = 0, chip = -1, option;
    unsigned file = 0x011E;
    unsigned char password = 0;
    char mapping = 'G';
    Bytes last, out;
    while ((option = getopt(count, arguments, "m:c:k:t:f:")) != -1) {
        if (option == 'm') mapping = *optarg;
        else if (option == 'c') chip = atoi(optarg);
        else if (option == 'k') key = optarg;
        else if (option == 'f') file = strtoul(optarg, NULL, 16);
        else if (option == 't' && certificate_count < 8) certificates[certificate_count++] = optarg;
        else return 2;
    }
    if (count - optind != 3) return 2;
    const char *reader = arguments[optind], *kind = arguments[optind + 1];
    const char *secret = arguments[optind + 2];
    for (unsigned char i = 0; i < 4; i++)
        if (!strcmp(kind, names[i])) password = i + 1;
    if (!password) return 2;
    EAC_init();
    session = EAC_CTX_new();
    connect_card(reader);
    read_card_access(mapping);
    run_pace(PACE_SEC_new(secret, strlen(secret), (enum s_type)password), password, &last);
    if (mapping == 'C') check_chip_mapping(&last);
    expect(transmit_protected(select, "\xA0\x00\x00\x02\x47\x10\x01", 7, NO_LE, &out), "SELECT");
    if (chip >= 0) run_chip_authentication(chip);
    if (key) run_terminal_authentication(key, certificate_count, certificates);
    char name[12];
    snprintf(name, sizeof name, "EF.%s%u", file == 0x011E ? "COM " : "DG", file & 0x1F);
    read_file(file & 0x1F, &out, name);
    for (size_t i = 0; i < out.length; i++) printf("%02x", out.data[i]);
    printf("\n");
    SCardDisconnect(card, SCARD_RESET_CARD);
    return 0;
}
