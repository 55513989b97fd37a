#include "files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "protocol.h"

namespace tidevm::host_agent {
namespace {

constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

std::string Failure(std::string_view what, const std::string& path) {
  return std::string(what) + " " + path + ": " + strerror(errno);
}

int64_t MtimeNs(const struct stat& status) {
  return status.st_mtim.tv_sec * kNanosecondsPerSecond + status.st_mtim.tv_nsec;
}

bool MakeParent(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos || MakeFolders(path.substr(0, slash));
}

// Makes way for a file or a link. What is there may be an applet's link: it must go, not be
// written through.
bool Clear(const std::string& path) {
  return MakeParent(path) && (unlink(path.c_str()) == 0 || errno == ENOENT);
}

bool LinkIsThere(const std::string& path, const std::string& target) {
  std::string found(target.size() + 1, '\0');
  const ssize_t size = readlink(path.c_str(), found.data(), found.size());
  return size == static_cast<ssize_t>(target.size()) &&
         found.compare(0, target.size(), target) == 0;
}

std::string Record(const std::string& path, const struct stat& status, const std::string& target) {
  const ManifestEntry entry{
      .mode = status.st_mode,
      .size = static_cast<uint64_t>(status.st_size),
      .mtime_ns = MtimeNs(status),
      .path_size = static_cast<uint16_t>(path.size()),
      .target_size = static_cast<uint16_t>(target.size()),
  };
  std::string record(reinterpret_cast<const char*>(&entry), sizeof(entry));
  return record + path + target;
}

// Exactly status.st_size bytes go out, whatever happens to the file meanwhile: the other side
// counts them.
std::string SendContents(const std::string& path, uint64_t size, const SendFrame& send) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return Failure("cannot open", path);
  }
  std::string buffer(size_t{64} << 10, '\0');
  while (size > 0) {
    const size_t want = std::min<uint64_t>(size, buffer.size());
    ssize_t got = read(fd, buffer.data(), want);
    if (got <= 0) {
      std::fill(buffer.begin(), buffer.end(), '\0');
      got = static_cast<ssize_t>(want);
    }
    send(static_cast<char>(Frame::kData), std::string_view(buffer).substr(0, got));
    size -= got;
  }
  close(fd);
  return "";
}

std::string SendFolder(const std::string& path, const SendFrame& send) {
  DIR* folder = opendir(path.c_str());
  if (folder == nullptr) {
    return Failure("cannot open", path);
  }
  std::vector<std::string> names;
  while (const dirent* entry = readdir(folder)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      names.emplace_back(name);
    }
  }
  closedir(folder);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (std::string error = SendTree(path + "/" + name, send); !error.empty()) {
      return error;
    }
  }
  return "";
}

}  // namespace

bool MakeFolders(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) == 0) {
    errno = ENOTDIR;
    return S_ISDIR(status.st_mode);
  }
  return MakeParent(path) && (mkdir(path.c_str(), 0755) == 0 || errno == EEXIST);
}

std::string FileReceiver::AddManifest(std::string_view payload) {
  while (!payload.empty()) {
    ManifestEntry entry;
    if (payload.size() < sizeof(entry)) {
      return "manifest entry cut short";
    }
    memcpy(&entry, payload.data(), sizeof(entry));
    payload.remove_prefix(sizeof(entry));
    if (payload.size() < size_t{entry.path_size} + entry.target_size) {
      return "manifest path cut short";
    }
    const std::string path(payload.substr(0, entry.path_size));
    const std::string target(payload.substr(entry.path_size, entry.target_size));
    payload.remove_prefix(size_t{entry.path_size} + entry.target_size);
    const uint32_t index = entries_++;

    if (S_ISDIR(entry.mode)) {
      if (!MakeFolders(path)) {
        return Failure("cannot make folder", path);
      }
      continue;
    }
    if (S_ISLNK(entry.mode)) {
      if (LinkIsThere(path, target)) {
        continue;
      }
      struct stat status;
      // A folder in the host where outside there is a link to one: what comes below it fits both.
      if (lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
        continue;
      }
      if (!Clear(path) || symlink(target.c_str(), path.c_str()) != 0) {
        return Failure("cannot make link", path);
      }
      continue;
    }
    struct stat status;
    if (lstat(path.c_str(), &status) == 0 && status.st_mode == entry.mode &&
        static_cast<uint64_t>(status.st_size) == entry.size && MtimeNs(status) == entry.mtime_ns) {
      continue;
    }
    wanted_.push_back({.index = index,
                       .path = path,
                       .mode = entry.mode & 07777,
                       .size = entry.size,
                       .mtime_ns = entry.mtime_ns});
  }
  return "";
}

std::string FileReceiver::FinishManifest() {
  std::string indices;
  for (const WantedFile& file : wanted_) {
    indices.append(reinterpret_cast<const char*>(&file.index), sizeof(file.index));
  }
  return indices;
}

std::string FileReceiver::Open() {
  const WantedFile& file = wanted_[next_];
  if (!Clear(file.path)) {
    return Failure("cannot replace", file.path);
  }
  fd_ = open(file.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd_ < 0) {
    return Failure("cannot create", file.path);
  }
  left_ = file.size;
  return "";
}

// The time is set last: a file that came half is not taken for the whole one later.
std::string FileReceiver::Close() {
  const WantedFile& file = wanted_[next_];
  timespec times[2];
  times[0].tv_sec = file.mtime_ns / kNanosecondsPerSecond;
  times[0].tv_nsec = file.mtime_ns % kNanosecondsPerSecond;
  times[1] = times[0];
  const bool good = fchmod(fd_, file.mode) == 0 && futimens(fd_, times) == 0;
  std::string error = good ? "" : Failure("cannot finish", file.path);
  close(fd_);
  fd_ = -1;
  ++next_;
  return error;
}

std::string FileReceiver::AddData(std::string_view data) {
  while (!complete()) {
    if (fd_ < 0) {
      if (std::string error = Open(); !error.empty()) {
        return error;
      }
    }
    while (left_ > 0 && !data.empty()) {
      const ssize_t done = write(fd_, data.data(), std::min<uint64_t>(left_, data.size()));
      if (done < 0) {
        return Failure("cannot write", wanted_[next_].path);
      }
      data.remove_prefix(done);
      left_ -= done;
    }
    if (left_ > 0) {
      return "";
    }
    if (std::string error = Close(); !error.empty()) {
      return error;
    }
  }
  return data.empty() ? "" : "more file data than was asked for";
}

std::string SendTree(const std::string& path, const SendFrame& send) {
  struct stat status;
  if (lstat(path.c_str(), &status) != 0) {
    return Failure("cannot find", path);
  }
  std::string target;
  if (S_ISLNK(status.st_mode)) {
    target.resize(4096);
    const ssize_t size = readlink(path.c_str(), target.data(), target.size());
    if (size < 0) {
      return Failure("cannot read", path);
    }
    target.resize(size);
  } else if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
    return "";  // sockets and pipes stay behind
  }
  send(static_cast<char>(Frame::kEntry), Record(path, status, target));
  if (S_ISREG(status.st_mode)) {
    return SendContents(path, status.st_size, send);
  }
  if (S_ISDIR(status.st_mode)) {
    return SendFolder(path, send);
  }
  return "";
}

}  // namespace tidevm::host_agent
