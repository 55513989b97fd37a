// The questions that tests ask over the serial line, and their answers.
//
//   ask ID QUESTION [ARGUMENT...]      ID is any word
//   @ID line                           none, one or more
//   @ID end STATUS                     0 done, 1 failed (the line before says why), 2 not
//   understood
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "console.h"
#include "cpus.h"
#include "spinners.h"

namespace tidevm::guest {

class Questions {
 public:
  using Clock = std::chrono::steady_clock;

  Questions(const Console& console, Cpus& cpus, Spinners& spinners)
      : console_(console), cpus_(cpus), spinners_(spinners) {}

  void HandleLine(std::string_view line);

  // Answers each `wait-online` that has what it waits for, or whose time is over. To be called
  // after CPU uevents and at NextDeadline().
  void CheckWaiting();
  std::optional<Clock::time_point> NextDeadline() const;

 private:
  struct Question;
  struct Waiting {
    std::string id;
    std::set<int> wanted;
    Clock::time_point deadline;
  };
  using Words = std::vector<std::string>;

  // One answer's lines go to the console as they are made.
  class Answer {
   public:
    Answer(const Console& console, const std::string& id) : console_(console), id_(id) {}
    void Line(std::string_view text);
    void Lines(std::string_view text);
    void End(int status);
    int Fail(std::string_view what, int error);  // returns the status

   private:
    const Console& console_;
    const std::string& id_;
  };

  static const std::vector<Question>& All();

  int File(Answer& answer, const std::string& path);
  int Nproc(Answer& answer);
  int Dmesg(Answer& answer, const Words& words);
  int Topology(Answer& answer);
  int List(Answer& answer, const std::string& path);
  int Spin(Answer& answer, const Words& words);
  int Reserve(Answer& answer, const Words& words);
  int Hog(Answer& answer, const Words& words);
  int AutoOnline(Answer& answer, const Words& words);
  static int OnlineCpu(Answer& answer, const Words& words);
  int WaitOnline(Answer& answer, const Words& words, const std::string& id);
  int Help(Answer& answer);

  const Console& console_;
  Cpus& cpus_;
  Spinners& spinners_;
  std::vector<Waiting> waiting_;
};

}  // namespace tidevm::guest
