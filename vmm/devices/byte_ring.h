// A bounded queue of bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace tidevm::devices {

/// First in, first out; never grows. No lock of its own: the owner's.
class ByteRing {
 public:
  explicit ByteRing(std::size_t capacity) : bytes_(capacity) {}

  std::size_t size() const { return size_; }
  std::size_t free() const { return bytes_.size() - size_; }
  bool empty() const { return size_ == 0; }

  /// False, and nothing happens, where it is full.
  bool Push(std::byte value) {
    if (free() == 0) {
      return false;
    }
    bytes_[(head_ + size_) % bytes_.size()] = value;
    ++size_;
    return true;
  }

  /// Takes as much of the front of `values` as fits, and says how much that was.
  std::size_t PushSome(std::span<const std::byte> values) {
    const std::size_t count = std::min(values.size(), free());
    for (const std::byte value : values.first(count)) {
      Push(value);
    }
    return count;
  }

  /// Must not be empty.
  std::byte Pop() {
    const std::byte value = bytes_[head_];
    Drop(1);
    return value;
  }

  /// The oldest bytes, as far as they lie in one piece. They stay where they are until Drop():
  /// Push() never writes over them.
  std::span<const std::byte> Front() const {
    return {bytes_.data() + head_, std::min(size_, bytes_.size() - head_)};
  }

  /// Forgets the oldest `count` bytes; at most all of them.
  void Drop(std::size_t count) {
    count = std::min(count, size_);
    head_ = (head_ + count) % bytes_.size();
    size_ -= count;
  }

 private:
  std::vector<std::byte> bytes_;
  std::size_t head_ = 0;
  std::size_t size_ = 0;
};

}  // namespace tidevm::devices
