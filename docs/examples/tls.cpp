// SPDX-License-Identifier: MIT OR Apache-2.0
//
// tls: another library does the I/O, here OpenSSL on its own descriptor; a task waits for that with
// io::poll. Server and client are in this program, and the certificate is made for the occasion.
#include <weft/io.hpp>
#include <weft/weft.hpp>

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>

#include <array>
#include <concepts>
#include <iostream>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace io = weft::io;

namespace {

template <auto f>
struct Free {
  void operator()(auto* object) const { f(object); }
};
using Context = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;

void check(bool good, const char* what) {
  if (good) return;
  std::array<char, 256> reason{};
  ERR_error_string_n(ERR_get_error(), reason.data(), reason.size());
  throw std::runtime_error(std::string(what) + ": " + reason.data());
}

/// A connection that OpenSSL runs.
class Tls {
 public:
  Tls(SSL_CTX* context, io::Fd socket) : socket_(std::move(socket)), ssl_(SSL_new(context)) {
    check(ssl_ != nullptr, "SSL_new");
    // It must not block in there, but say what it waits for.
    ::fcntl(socket_.get(), F_SETFL, ::fcntl(socket_.get(), F_GETFL) | O_NONBLOCK);
    check(SSL_set_fd(ssl_.get(), socket_.get()) == 1, "SSL_set_fd");
  }

  weft::Task<> accept() { (void)co_await call("accept", [this] { return SSL_accept(ssl_.get()); }); }
  weft::Task<> connect() { (void)co_await call("connect", [this] { return SSL_connect(ssl_.get()); }); }
  weft::Task<> write(std::string_view text) {
    (void)co_await call("write", [this, text] {
      return SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
    });
  }
  /// \return bytes; 0: the peer says no more
  weft::Task<std::size_t> read(std::span<char> buffer) {
    const int got = co_await call("read", [this, buffer] {
      return SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()));
    });
    co_return static_cast<std::size_t>(got);
  }

 private:
  /// Calls it until it is done, and waits for the descriptor in between.
  weft::Task<int> call(const char* what, std::invocable auto function) {
    for (;;) {
      ERR_clear_error();
      const int result = function();
      if (result > 0) co_return result;
      if (!co_await wait(what, result)) co_return 0;
    }
  }

  /// For what OpenSSL wants. \return false: the peer says no more
  weft::Task<bool> wait(const char* what, int result) {
    const int wanted = SSL_get_error(ssl_.get(), result);
    if (wanted == SSL_ERROR_ZERO_RETURN) co_return false;
    check(wanted == SSL_ERROR_WANT_READ || wanted == SSL_ERROR_WANT_WRITE, what);
    (co_await io::poll(socket_, wanted == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT)).value();
    co_return true;
  }

  io::Fd socket_;
  std::unique_ptr<SSL, Free<SSL_free>> ssl_;
};

/// A context with a key and a certificate that vouches for itself.
Context make_server_context() {
  Context context(SSL_CTX_new(TLS_server_method()));
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate(X509_new());
  check(context && key && certificate, "no memory");
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  check(X509_set_pubkey(certificate.get(), key.get()) == 1 &&
            X509_sign(certificate.get(), key.get(), EVP_sha256()) != 0 &&
            SSL_CTX_use_certificate(context.get(), certificate.get()) == 1 &&
            SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1,
        "certificate");
  return context;
}

weft::Task<> serve(SSL_CTX* context, const io::Fd& listener) {
  Tls client(context, (co_await io::accept(listener)).value());
  co_await client.accept();
  std::array<char, 256> buffer;
  const std::size_t heard = co_await client.read(buffer);
  co_await client.write({buffer.data(), heard});
}

weft::Task<> run() {
  const Context server = make_server_context();
  const Context client(SSL_CTX_new(TLS_client_method()));  // believes any certificate
  check(client != nullptr, "SSL_CTX_new");
  const io::Fd listener = (co_await io::listen_tcp("127.0.0.1", 0)).value();
  weft::Flowvar<> serving = weft::spawn(serve(server.get(), listener));

  Tls connection(client.get(),
                 (co_await io::connect_tcp("127.0.0.1", io::local_port(listener).value())).value());
  co_await connection.connect();
  co_await connection.write("hello over TLS");
  std::array<char, 256> buffer;
  const std::size_t heard = co_await connection.read(buffer);
  std::cout << std::string_view(buffer.data(), heard) << '\n';
  co_await std::move(serving);
}

}  // namespace

int main() {
  try {
    weft::Threadpool pool;
    pool.run(run());
  } catch (const std::exception& error) {
    std::cerr << "tls: " << error.what() << '\n';
    return 1;
  }
}
