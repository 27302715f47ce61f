/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: bytes go through a BIO of our own, because OpenSSL's for sockets wants an fd without O_NONBLOCK to wait, and
 * an attached viewer's flags are not ours to change.
 *
 * Nothing is kept from one connection for the next: no session cache, no tickets; no renegotiation, no compression. So a
 * connection's memory is its own and ends with it, and a reload need not think of keys in flight.
 *
 * Most displays never see a viewer that comes by TLS, and what OpenSSL needs for that it keeps. So what needs no file is made for the
 * first one who comes; only a certificate is looked at when it comes, as it may be bad.
 */
#include "rfb/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "base/mem.h"

#define SECURITY_LEVEL 2 /* 112 bits: RSA of 2048 */

/* Forward secrecy and AEAD: what TLS 1.3 has too. */
#define SUITES_X509 "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"
/* GnuTLS has AES-GCM for anonymous Diffie-Hellman, but only CBC with SHA-1 for its elliptic kind. No one of them says who the peer
 * is, hence the lowest level of OpenSSL. */
#define SUITES_ANONYMOUS "ADH+AESGCM:AECDH+AES:ADH+AES:@SECLEVEL=0"

struct tls {
	unsigned int refs;
	SSL_CTX *x509;	    /* NULL: no certificate */
	SSL_CTX *anonymous; /* NULL: not wanted yet */
	EVP_PKEY *rsa_key;
	bool asks_clients;
};

static BIO_METHOD *method; /* for the process's life */

static int socket_write(BIO *bio, const char *data, int size)
{
	ssize_t n = send((int)(intptr_t)BIO_get_data(bio), data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

	BIO_clear_retry_flags(bio);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(bio);
	return n;
}

static int socket_read(BIO *bio, char *to, int room)
{
	ssize_t n = recv((int)(intptr_t)BIO_get_data(bio), to, room, MSG_DONTWAIT);

	BIO_clear_retry_flags(bio);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(bio);
	if (n == 0)
		BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
	return n;
}

static long socket_ctrl(BIO *bio, int what, long number, void *pointer)
{
	switch (what) {
	case BIO_C_GET_FD:
		return (intptr_t)BIO_get_data(bio);
	case BIO_CTRL_EOF:
		return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
	case BIO_CTRL_FLUSH:
	case BIO_CTRL_SET_CLOSE: /* the fd is the transport's in any case */
		return 1;
	default:
		return 0;
	}
}

int tls_open(void)
{
	if (method)
		return 0;
	/* Algorithms and libssl's texts of errors, 300 KiB, are had when they are first wanted. Those of libcrypto would come with the
	 * configuration; 60 KiB, and what viewers do wrong libssl has the words for. */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS, NULL) != 1 ||
		OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) != 1)
		return -EIO;
	method = BIO_meth_new(
		BIO_get_new_index() | BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR, "transport");
	if (!method)
		return -EIO;
	BIO_meth_set_write(method, socket_write);
	BIO_meth_set_read(method, socket_read);
	BIO_meth_set_ctrl(method, socket_ctrl);
	return 0;
}

static SSL_CTX *make_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	if (!context)
		return NULL;
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					     SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE |
					     SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_num_tickets(context, 0);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_max_cert_list(context, LIMIT_CLIENT_CERTIFICATES);
	return context;
}

/* A group for Diffie-Hellman; OpenSSL's own choice would be one of 1024 bits at level 0. */
static bool use_group(SSL_CTX *context)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"ffdhe2048", 0),
		OSSL_PARAM_END,
	};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
	EVP_PKEY *group = NULL;
	bool done;

	done = ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
	       EVP_PKEY_fromdata(ctx, &group, EVP_PKEY_KEY_PARAMETERS, params) == 1 &&
	       SSL_CTX_set0_tmp_dh_pkey(context, group) == 1;
	if (!done)
		EVP_PKEY_free(group);
	EVP_PKEY_CTX_free(ctx);
	return done;
}

static SSL_CTX *make_anonymous(void)
{
	SSL_CTX *context = make_context();

	if (!context)
		return NULL;
	SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
	if (SSL_CTX_set_cipher_list(context, SUITES_ANONYMOUS) != 1 || !use_group(context)) {
		SSL_CTX_free(context);
		return NULL;
	}
	return context;
}

/* An encrypted key would otherwise ask a terminal. */
static int no_passphrase(char *to, int size, int writing, void *arg)
{
	return 0;
}

static EVP_PKEY *read_key(const char *pem, size_t size)
{
	BIO *bio = BIO_new_mem_buf(pem, size);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	return key;
}

/* Each certificate of @pem goes to @take, which owns it then in every case. Returns how many; -1: one is bad. */
static int read_certificates(
	const char *pem, size_t size, bool (*take)(SSL_CTX *, X509 *, int), SSL_CTX *context)
{
	BIO *bio = BIO_new_mem_buf(pem, size);
	X509 *certificate;
	int count = 0;

	while (bio && (certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL))) {
		if (!take(context, certificate, count++)) {
			count = -1;
			break;
		}
	}
	if (count > 0 && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		count = -1;
	ERR_clear_error();
	BIO_free(bio);
	return count;
}

static bool take_own(SSL_CTX *context, X509 *certificate, int index)
{
	bool done;

	if (index > 0) {
		if (SSL_CTX_add0_chain_cert(context, certificate) == 1)
			return true;
		X509_free(certificate);
		return false;
	}
	done = SSL_CTX_use_certificate(context, certificate) == 1;
	X509_free(certificate);
	return done;
}

static bool take_authority(SSL_CTX *context, X509 *certificate, int index)
{
	bool done = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate) == 1 &&
		    SSL_CTX_add_client_CA(context, certificate) == 1;

	X509_free(certificate);
	return done;
}

/* NULL: done, else what is wrong. */
static const char *use_certificate(SSL_CTX *context, const struct tls_bundle *bundle)
{
	EVP_PKEY *key;
	bool fits;

	if (read_certificates(bundle->certificates, bundle->certificates_size, take_own, context) <=
		0)
		return "the certificate cannot be read, or is too weak";
	key = read_key(bundle->key, bundle->key_size);
	if (!key)
		return "the certificate's key cannot be read";
	fits = SSL_CTX_use_PrivateKey(context, key) == 1 && SSL_CTX_check_private_key(context) == 1;
	EVP_PKEY_free(key);
	if (!fits)
		return "certificate and key do not belong together";
	if (!bundle->authorities_size)
		return NULL;
	if (read_certificates(
		    bundle->authorities, bundle->authorities_size, take_authority, context) <= 0)
		return "the client authorities cannot be read";
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	return NULL;
}

static int make_x509(struct tls *tls, const struct tls_bundle *bundle, const char **ret_reason)
{
	const char *wrong;

	tls->x509 = make_context();
	if (!tls->x509)
		return -ENOMEM;
	SSL_CTX_set_security_level(tls->x509, SECURITY_LEVEL);
	if (SSL_CTX_set_cipher_list(tls->x509, SUITES_X509) != 1 || !use_group(tls->x509))
		return -EINVAL;
	wrong = use_certificate(tls->x509, bundle);
	if (wrong) {
		*ret_reason = wrong;
		return -EINVAL;
	}
	tls->asks_clients = bundle->authorities_size > 0;
	return 0;
}

int tls_create(const struct tls_bundle *bundle, const char **ret_reason, struct tls **ret)
{
	struct tls *tls;
	int r = tls_open();

	*ret_reason = "TLS cannot be set up";
	if (r < 0)
		return r;
	tls = new0(struct tls);
	if (!tls)
		return -ENOMEM;
	tls->refs = 1;
	if (bundle->certificates_size)
		r = make_x509(tls, bundle, ret_reason);
	if (r == 0 && bundle->rsa_key_size) {
		tls->rsa_key = read_key(bundle->rsa_key, bundle->rsa_key_size);
		if (!tls->rsa_key || !EVP_PKEY_is_a(tls->rsa_key, "RSA")) {
			*ret_reason = "the RSA key cannot be read";
			r = -EINVAL;
		}
	}
	ERR_clear_error(); /* what is left there would be taken for the next connection's */
	if (r < 0) {
		tls_unref(tls);
		return r;
	}
	*ret = tls;
	return 0;
}

int tls_load(int fd, const uint32_t sizes[4], const char **ret_reason, struct tls **ret)
{
	const char *pem, **texts[4];
	struct tls_bundle bundle = {
		.certificates_size = sizes[0],
		.key_size = sizes[1],
		.authorities_size = sizes[2],
		.rsa_key_size = sizes[3],
	};
	uint64_t total = 0;
	struct stat st;
	int r;

	texts[0] = &bundle.certificates;
	texts[1] = &bundle.key;
	texts[2] = &bundle.authorities;
	texts[3] = &bundle.rsa_key;
	for (size_t i = 0; i < 4; i++)
		total += sizes[i];
	*ret_reason = "the certificates' file is cut off";
	if (!total)
		return tls_create(&bundle, ret_reason, ret);
	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size < total)
		return -EINVAL;
	pem = mmap(NULL, total, PROT_READ, MAP_PRIVATE, fd, 0);
	if (pem == MAP_FAILED)
		return -errno;
	for (size_t i = 0, at = 0; i < 4; at += sizes[i++])
		*texts[i] = pem + at;
	r = tls_create(&bundle, ret_reason, ret);
	munmap((void *)pem, total);
	return r;
}

struct tls *tls_ref(struct tls *tls)
{
	tls->refs++;
	return tls;
}

void tls_unref(struct tls *tls)
{
	if (!tls || --tls->refs)
		return;
	SSL_CTX_free(tls->x509);
	SSL_CTX_free(tls->anonymous);
	EVP_PKEY_free(tls->rsa_key);
	free(tls);
}

bool tls_has_certificate(const struct tls *tls)
{
	return tls->x509;
}

bool tls_asks_clients(const struct tls *tls)
{
	return tls->asks_clients;
}

EVP_PKEY *tls_rsa_key(const struct tls *tls)
{
	return tls->rsa_key;
}

SSL *tls_accept(struct tls *tls, int fd, bool x509)
{
	SSL_CTX *context;
	SSL *ssl;
	BIO *bio;

	if (!x509 && !tls->anonymous)
		tls->anonymous = make_anonymous();
	context = x509 ? tls->x509 : tls->anonymous;
	ssl = context ? SSL_new(context) : NULL;
	bio = ssl ? BIO_new(method) : NULL;

	if (!bio) {
		SSL_free(ssl);
		return NULL;
	}
	BIO_set_data(bio, (void *)(intptr_t)fd);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_accept_state(ssl);
	return ssl;
}
