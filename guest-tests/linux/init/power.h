// The power button, and the ways to end.
#pragma once

#include <string>
#include <vector>

#include "uevents.h"

namespace tidevm::guest {

enum class Ending { kPowerOff, kReboot, kPanic };

// Does not return, except where a panic could not be had.
void End(Ending ending);

class PowerButtons {
 public:
  // Those that are there already; later ones come by uevent.
  void Scan();
  void HandleUevent(const Uevent& event);

  // To be polled for input.
  std::vector<int> fds() const;

  // Whether the button behind this fd was pressed.
  bool Pressed(int fd);

 private:
  struct Button {
    std::string node;
    int fd;
  };

  void Open(const std::string& node);
  void Close(const std::string& node);

  std::vector<Button> buttons_;
};

}  // namespace tidevm::guest
