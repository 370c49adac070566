// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <openssl/ssl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <openssl/pem.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/crypto.h>

// OpenSSL's function-like macros, which Swift does not see, as functions.
static inline int copenssl_set_tls12_or_later(SSL_CTX *context) { return (int)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION); }
static inline int copenssl_set_groups(SSL_CTX *context) { return (int)SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384"); }
static inline void copenssl_set_options(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
}
static inline void copenssl_set_modes(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    // Resumption is by tickets, which the client keeps.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}
static inline int copenssl_add_chain_certificate(SSL_CTX *context, X509 *certificate) { return (int)SSL_CTX_add1_chain_cert(context, certificate); }
static inline int copenssl_set_server_name(SSL *ssl, const char *name) { return (int)SSL_set_tlsext_host_name(ssl, name); }
static inline int copenssl_reason(unsigned long error) { return ERR_GET_REASON(error); }
static inline EVP_PKEY *copenssl_make_p256_key(void) { return EVP_EC_gen("P-256"); }
static inline X509V3_CTX copenssl_self_signing(X509 *certificate) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    return context;
}

// What a client keeps of the certificate that its server shows, and the one it wants to see, as SHA-256 of the DER form.
struct copenssl_peer {
    unsigned char shown[32];
    unsigned char wanted[32];
    int has_shown;
    int has_wanted;
};
// OpenSSL's judgement, unless a certificate is wanted: then that one alone is right, whatever it says of itself.
static inline int copenssl_judge_peer(int is_valid, X509_STORE_CTX *context) {
    SSL *ssl = (SSL *)X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct copenssl_peer *peer = (struct copenssl_peer *)SSL_get_ex_data(ssl, 0);
    X509 *leaf = X509_STORE_CTX_get0_cert(context);
    if (!peer->has_shown && leaf && X509_digest(leaf, EVP_sha256(), peer->shown, NULL) == 1) peer->has_shown = 1;
    if (!peer->has_wanted) return is_valid;
    if (peer->has_shown && CRYPTO_memcmp(peer->shown, peer->wanted, 32) == 0) return 1;
    X509_STORE_CTX_set_error(context, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}
static inline int copenssl_watch_peer(SSL *ssl, struct copenssl_peer *peer) {
    SSL_set_verify(ssl, SSL_VERIFY_PEER, copenssl_judge_peer);
    return SSL_set_ex_data(ssl, 0, peer);
}
// The digest of RFC 5929 section 4.1; 0 where the certificate's signature has no single hash. `out` has room for 64 octets.
static inline unsigned copenssl_end_point(SSL *ssl, unsigned char *out) {
    X509 *leaf = SSL_get0_peer_certificate(ssl);
    int hash = NID_undef;
    unsigned count = 0;
    if (!leaf || X509_get_signature_info(leaf, &hash, NULL, NULL, NULL) != 1 || hash == NID_undef) return 0;
    const EVP_MD *md = hash == NID_md5 || hash == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(hash);
    if (!md || X509_digest(leaf, md, out, &count) != 1) return 0;
    return count;
}
