// What kvm-host and its agent say to each other over a virtio-serial port.
//
// A client that connects sends kSync and 16 bytes of its own choice; the agent drops whatever the
// client before it left behind, and answers with a kHello frame that holds the same 16 bytes. From
// then on both sides send frames: payload length (u32, little-endian), type (one byte), payload.
// tools/lib/tidevm_tools/session.py is the other side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidevm::host_agent {

inline constexpr std::string_view kSync = "\x02tidevm-kvm-host";
inline constexpr size_t kNonceSize = 16;
inline constexpr uint32_t kMaxPayload = 256 * 1024;
inline constexpr size_t kFrameHeaderSize = 5;

enum class Frame : char {
  // Client to agent.
  kManifest = 'M',     // ManifestEntry records: what must be there before the command runs
  kManifestEnd = 'm',  // answered with kWanted
  kData = 'D',         // contents of the wanted files, back to back (also agent to client)
  kExecute = 'X',      // u32 number of environment strings; cwd, environment, arguments, each + NUL
  kSignal = 'K',       // u8 signal number for the command's process group
  kPing = 'P',         // answered with kPong
  kGet = 'G',          // a path to send back: kEntry, kData... for each thing found, then kGetEnd
  // Agent to client.
  kHello = 'H',
  kWanted = 'N',  // u32 indices into the manifest of the files whose contents are wanted
  kPong = 'p',
  kStdout = 'O',
  kStderr = 'E',
  kStatus = 'S',  // u32, as from waitpid()
  kEntry = 'F',   // one ManifestEntry
  kGetEnd = 'g',  // empty, or a sentence that says what went wrong
  kError = '!',   // a sentence; the session is over
};

// Followed by the path and, for a symbolic link, its target, neither with a NUL.
struct [[gnu::packed]] ManifestEntry {
  uint32_t mode;  // as in st_mode
  uint64_t size;
  int64_t mtime_ns;
  uint16_t path_size;
  uint16_t target_size;
};

}  // namespace tidevm::host_agent
