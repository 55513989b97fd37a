// The control socket's file and descriptor.
#pragma once

#include <sys/types.h>

#include <string>

#include "tidevm/result.h"
#include "tidevm/unique_fd.h"

namespace tidevm::control {

/// A unix stream socket in the listening state, non-blocking. Move-only. Destroying it removes the
/// file that Bind() made, unless somebody has put another in its place.
class ListeningSocket {
 public:
  /// Makes `path` with mode 0600. A socket file there that nobody listens on is replaced; one that
  /// answers, and anything that is no socket, is left alone and named in the error.
  static Result<ListeningSocket> Bind(const std::string& path);

  /// Takes over a listening socket that was opened elsewhere (socket activation). No file is ever
  /// removed for it.
  static Result<ListeningSocket> Adopt(UniqueFd fd);

  ListeningSocket(ListeningSocket&& other) noexcept;
  ListeningSocket& operator=(ListeningSocket&& other) noexcept;
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;
  ~ListeningSocket();

  int fd() const { return fd_.get(); }

 private:
  ListeningSocket() = default;
  void RemoveFile() noexcept;

  UniqueFd fd_;
  std::string path_;  // empty: no file of ours
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace tidevm::control
