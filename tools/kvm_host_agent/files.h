// Files that come into the emulated host, and files that go back.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace tidevm::host_agent {

// Takes a manifest, then the contents of those files that differ from what is there already.
class FileReceiver {
 public:
  // One kManifest payload. Makes folders and links at once. Returns an error sentence, or "".
  std::string AddManifest(std::string_view payload);
  // The indices (u32 each) of the files whose contents are wanted.
  std::string FinishManifest();
  // The next bytes of the wanted files. Returns an error sentence, or "".
  std::string AddData(std::string_view data);
  bool complete() const { return next_ == wanted_.size(); }

 private:
  struct WantedFile {
    uint32_t index;
    std::string path;
    mode_t mode;
    uint64_t size;
    int64_t mtime_ns;
  };

  std::string Open();
  std::string Close();

  std::vector<WantedFile> wanted_;
  uint32_t entries_ = 0;
  size_t next_ = 0;  // in wanted_
  int fd_ = -1;      // of wanted_[next_]
  uint64_t left_ = 0;
};

using SendFrame = std::function<void(char type, std::string_view payload)>;

// Sends `path` and everything below it. Returns an error sentence, or "".
std::string SendTree(const std::string& path, const SendFrame& send);

// mkdir -p. Returns false with errno set.
bool MakeFolders(const std::string& path);

}  // namespace tidevm::host_agent
