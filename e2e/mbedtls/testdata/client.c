/* A TLS 1.2 client as small devices have it: mbedTLS, one suite, P-256. It sends
 * what it reads from the standard input, and prints the suite and what comes back
 * until the server pauses.
 *
 *     client HOST PORT CA.PEM
 */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <stdio.h>
#include <string.h>

static int fail(const char *what, int code) {
    fprintf(stderr, "%s: -0x%04x\n", what, (unsigned)-code);
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 4) return fail("usage: client HOST PORT CA.PEM", 0);
    static const int suites[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 0};
    mbedtls_net_context net;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    mbedtls_x509_crt ca;
    int r;
    mbedtls_net_init(&net);
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);
    mbedtls_ssl_config_init(&config);
    mbedtls_ssl_init(&ssl);
    mbedtls_x509_crt_init(&ca);
    if ((r = mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0)) != 0) return fail("random", r);
    if ((r = mbedtls_x509_crt_parse_file(&ca, argv[3])) != 0) return fail("authority", r);
    if ((r = mbedtls_net_connect(&net, argv[1], argv[2], MBEDTLS_NET_PROTO_TCP)) != 0) return fail("connect", r);
    if ((r = mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT)) != 0)
        return fail("configure", r);
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&config, &ca, NULL);
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random);
    mbedtls_ssl_conf_ciphersuites(&config, suites);
    mbedtls_ssl_conf_max_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3); /* 1.2 */
    mbedtls_ssl_conf_read_timeout(&config, 1000);
    if ((r = mbedtls_ssl_setup(&ssl, &config)) != 0) return fail("set up", r);
    if ((r = mbedtls_ssl_set_hostname(&ssl, argv[1])) != 0) return fail("name", r);
    mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, NULL, mbedtls_net_recv_timeout);
    if ((r = mbedtls_ssl_handshake(&ssl)) != 0) return fail("handshake", r);
    printf("%s %s %s\n", MBEDTLS_VERSION_STRING, mbedtls_ssl_get_version(&ssl), mbedtls_ssl_get_ciphersuite(&ssl));

    unsigned char b[4096];
    size_t n = fread(b, 1, sizeof b, stdin);
    for (size_t done = 0; done < n; done += (size_t)r)
        if ((r = mbedtls_ssl_write(&ssl, b + done, n - done)) <= 0) return fail("write", r);
    while ((r = mbedtls_ssl_read(&ssl, b, sizeof b)) > 0) fwrite(b, 1, (size_t)r, stdout);
    mbedtls_ssl_close_notify(&ssl);
    return 0;
}
