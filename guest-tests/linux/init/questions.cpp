#include "questions.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "power.h"
#include "text.h"

namespace tidevm::guest {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kNotUnderstood = 2;
constexpr int kLater = -1;  // the answer is still open
constexpr size_t kMostCpus = 8192;

// Where the kernel places a CPU; nothing is known of an offline one.
std::string PlaceOf(int cpu) {
  const std::string folder = kCpuFolder + ("cpu" + std::to_string(cpu)) + "/topology/";
  const std::string package = ReadLine(folder + "physical_package_id");
  if (package.empty()) {
    return "offline";
  }
  return "package " + package + " die " + ReadLine(folder + "die_id") + " core " +
         ReadLine(folder + "core_id") + " threads " + ReadLine(folder + "thread_siblings_list");
}

}  // namespace

// The arguments come with the question's own name as the first word.
struct Questions::Question {
  std::string_view name;
  size_t least_arguments;
  size_t most_arguments;
  const char* arguments;
  const char* help;
  int (*ask)(Questions&, Answer&, const Words&, const std::string& id);
};

void Questions::Answer::Line(std::string_view text) {
  console_.WriteLine("@" + id_ + " " + std::string(text));
}

void Questions::Answer::Lines(std::string_view text) {
  for (const std::string_view line : SplitLines(text)) {
    Line(line);
  }
}

void Questions::Answer::End(int status) { Line("end " + std::to_string(status)); }

int Questions::Answer::Fail(std::string_view what, int error) {
  Line(std::string(what) + ": " + strerror(error));
  return kFailed;
}

const std::vector<Questions::Question>& Questions::All() {
  using Self = Questions&;
  using Id = const std::string&;
  static const auto list = [](Answer& answer, const char* which) {
    answer.Line(CpuList(which));
    return kDone;
  };
  static const auto end = [](Self self, Answer& answer, Ending ending) {
    answer.End(kDone);
    self.console_.Drain();
    End(ending);
    return kLater;
  };
  static const std::vector<Question> questions = {
      {"ping", 0, 0, "", "answers", [](Self, Answer&, const Words&, Id) { return kDone; }},
      {"online", 0, 0, "", "the list of online CPUs",
       [](Self, Answer& answer, const Words&, Id) { return list(answer, "online"); }},
      {"offline", 0, 0, "", "the list of CPUs that are possible and not online",
       [](Self, Answer& answer, const Words&, Id) { return list(answer, "offline"); }},
      {"present", 0, 0, "", "the list of present CPUs",
       [](Self, Answer& answer, const Words&, Id) { return list(answer, "present"); }},
      {"possible", 0, 0, "", "the list of possible CPUs",
       [](Self, Answer& answer, const Words&, Id) { return list(answer, "possible"); }},
      {"acpi-online", 0, 0, "", "the online CPUs by their ACPI _UID, which is the host's id",
       [](Self, Answer& answer, const Words&, Id) {
         answer.Line(FormatCpuList(AcpiIds("online")));
         return kDone;
       }},
      {"acpi-present", 0, 0, "", "the present CPUs by their ACPI _UID",
       [](Self, Answer& answer, const Words&, Id) {
         answer.Line(FormatCpuList(AcpiIds("present")));
         return kDone;
       }},
      {"nproc", 0, 0, "", "how many CPUs a process may run on",
       [](Self self, Answer& answer, const Words&, Id) { return self.Nproc(answer); }},
      {"topology", 0, 0, "", "cpu N package P die D core C threads LIST, or cpu N offline",
       [](Self self, Answer& answer, const Words&, Id) { return self.Topology(answer); }},
      {"wait-online", 2, 2, "LIST TIMEOUT_MS",
       "until exactly these CPUs, by ACPI _UID, are online (1: time over)",
       [](Self self, Answer& answer, const Words& words, Id id) {
         return self.WaitOnline(answer, words, id);
       }},
      {"auto-online", 0, 1, "[on|off]", "whether hot-added CPUs are put online",
       [](Self self, Answer& answer, const Words& words, Id) {
         return self.AutoOnline(answer, words);
       }},
      {"online-cpu", 2, 2, "N 0|1",
       "put CPU N, by the kernel's number, offline or online; how many microseconds it took",
       [](Self, Answer& answer, const Words& words, Id) { return OnlineCpu(answer, words); }},
      {"dmesg", 0, 1, "[LEVEL]", "the kernel's log, or only records of this level and more urgent",
       [](Self self, Answer& answer, const Words& words, Id) { return self.Dmesg(answer, words); }},
      {"interrupts", 0, 0, "", "/proc/interrupts",
       [](Self self, Answer& answer, const Words&, Id) {
         return self.File(answer, "/proc/interrupts");
       }},
      {"clocksource", 0, 0, "", "the current clocksource",
       [](Self self, Answer& answer, const Words&, Id) {
         return self.File(answer,
                          "/sys/devices/system/clocksource/clocksource0/current_clocksource");
       }},
      {"cpuinfo", 0, 0, "", "/proc/cpuinfo",
       [](Self self, Answer& answer, const Words&, Id) {
         return self.File(answer, "/proc/cpuinfo");
       }},
      {"meminfo", 0, 0, "", "/proc/meminfo",
       [](Self self, Answer& answer, const Words&, Id) {
         return self.File(answer, "/proc/meminfo");
       }},
      {"uptime", 0, 0, "", "seconds since boot",
       [](Self, Answer& answer, const Words&, Id) {
         answer.Line(Uptime());
         return kDone;
       }},
      {"cat", 1, 1, "PATH", "a file's lines",
       [](Self self, Answer& answer, const Words& words, Id) {
         return self.File(answer, words[1]);
       }},
      {"ls", 1, 1, "PATH", "the names in a folder",
       [](Self self, Answer& answer, const Words& words, Id) {
         return self.List(answer, words[1]);
       }},
      {"write", 2, 64, "PATH VALUE", "into an existing file",
       [](Self, Answer& answer, const Words& words, Id) {
         std::string value = words[2];
         for (size_t i = 3; i < words.size(); ++i) {
           value += " " + words[i];
         }
         const int error = WriteFile(words[1], value);
         return error == 0 ? kDone : answer.Fail(words[1], error);
       }},
      {"spin", 1, 2, "N [pinned]", "start N busy processes",
       [](Self self, Answer& answer, const Words& words, Id) { return self.Spin(answer, words); }},
      {"reserve", 2, 2, "N PERCENT",
       "start N sleepers with a claim to so much of a CPU's time each",
       [](Self self, Answer& answer, const Words& words, Id) {
         return self.Reserve(answer, words);
       }},
      {"hog", 1, 1, "MS", "a process that lets nothing else run on its CPU for so long",
       [](Self self, Answer& answer, const Words& words, Id) { return self.Hog(answer, words); }},
      {"unspin", 0, 0, "", "end what spin and reserve started; says how many there were",
       [](Self self, Answer& answer, const Words&, Id) {
         answer.Line(std::to_string(self.spinners_.Stop()));
         return kDone;
       }},
      {"reboot", 0, 0, "", "restart the machine",
       [](Self self, Answer& answer, const Words&, Id) {
         return end(self, answer, Ending::kReboot);
       }},
      {"poweroff", 0, 0, "", "switch the machine off",
       [](Self self, Answer& answer, const Words&, Id) {
         return end(self, answer, Ending::kPowerOff);
       }},
      {"panic", 0, 0, "", "crash the kernel",
       [](Self self, Answer& answer, const Words&, Id) {
         return end(self, answer, Ending::kPanic);
       }},
      {"help", 0, 0, "", "this list",
       [](Self self, Answer& answer, const Words&, Id) { return self.Help(answer); }},
  };
  return questions;
}

void Questions::HandleLine(std::string_view line) {
  Words words = SplitWords(line);
  if (words.empty()) {
    return;
  }
  std::string id = "-";  // somebody types by hand
  if (words[0] == "ask" && words.size() >= 3) {
    id = words[1];
    words.erase(words.begin(), words.begin() + 2);
  }
  Answer answer(console_, id);
  for (const Question& question : All()) {
    if (question.name != words[0]) {
      continue;
    }
    const size_t arguments = words.size() - 1;
    if (arguments < question.least_arguments || arguments > question.most_arguments) {
      answer.Line("usage: " + words[0] + " " + question.arguments);
      return answer.End(kNotUnderstood);
    }
    const int status = question.ask(*this, answer, words, id);
    if (status != kLater) {
      answer.End(status);
    }
    return;
  }
  answer.Line("no such question: " + words[0] + " (try help)");
  answer.End(kNotUnderstood);
}

int Questions::File(Answer& answer, const std::string& path) {
  const std::optional<std::string> content = ReadFile(path);
  if (!content) {
    return answer.Fail(path, errno);
  }
  answer.Lines(*content);
  return kDone;
}

int Questions::Nproc(Answer& answer) {
  cpu_set_t* set = CPU_ALLOC(kMostCpus);
  const size_t size = CPU_ALLOC_SIZE(kMostCpus);
  const bool good = sched_getaffinity(0, size, set) == 0;
  const int error = errno;
  const int count = good ? CPU_COUNT_S(size, set) : 0;
  CPU_FREE(set);
  if (!good) {
    return answer.Fail("sched_getaffinity", error);
  }
  answer.Line(std::to_string(count));
  return kDone;
}

// Each record of /dev/kmsg is "PRIORITY,SEQUENCE,MICROSECONDS,FLAGS...;TEXT\n" and then lines of
// device data; a read gives one record. EPIPE: records were overwritten while we read; go on.
int Questions::Dmesg(Answer& answer, const Words& words) {
  const std::optional<int> most = words.size() > 1 ? ParseNumber(words[1]) : 7;
  if (!most) {
    return answer.Fail("level " + words[1], EINVAL);
  }
  const int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    return answer.Fail("/dev/kmsg", errno);
  }
  std::array<char, 8192> record;
  while (true) {
    const ssize_t got = read(fd, record.data(), record.size() - 1);
    if (got < 0 && (errno == EPIPE || errno == EINTR)) {
      continue;
    }
    if (got <= 0) {
      break;
    }
    record[static_cast<size_t>(got)] = '\0';
    int priority = 0;
    unsigned long long sequence = 0;
    unsigned long long microseconds = 0;
    const char* text = strchr(record.data(), ';');
    if (text == nullptr ||
        sscanf(record.data(), "%d,%llu,%llu", &priority, &sequence, &microseconds) != 3) {
      continue;
    }
    const int level = priority & 7;
    if (level > *most) {
      continue;
    }
    std::array<char, 48> prefix;
    snprintf(prefix.data(), prefix.size(), "<%d>[%5llu.%06llu] ", level, microseconds / 1'000'000,
             microseconds % 1'000'000);
    const std::string_view rest = text + 1;
    answer.Line(std::string(prefix.data()) + std::string(rest.substr(0, rest.find('\n'))));
  }
  close(fd);
  return kDone;
}

int Questions::Topology(Answer& answer) {
  for (const int cpu : ParseCpuList(CpuList("present")).value_or(std::set<int>())) {
    answer.Line("cpu " + std::to_string(cpu) + " " + PlaceOf(cpu));
  }
  return kDone;
}

int Questions::List(Answer& answer, const std::string& path) {
  const std::optional<std::vector<std::string>> names = ListFolder(path);
  if (!names) {
    return answer.Fail(path, errno);
  }
  for (const std::string& name : *names) {
    answer.Line(name);
  }
  return kDone;
}

int Questions::Spin(Answer& answer, const Words& words) {
  const std::optional<int> count = ParseNumber(words[1]);
  const bool pinned = words.size() > 2 && words[2] == "pinned";
  if (!count || *count < 0 || (words.size() > 2 && !pinned)) {
    return answer.Fail("spin", EINVAL);
  }
  const int error = spinners_.Start(*count, pinned);
  return error == 0 ? kDone : answer.Fail("fork", error);
}

int Questions::Reserve(Answer& answer, const Words& words) {
  const std::optional<int> count = ParseNumber(words[1]);
  const std::optional<int> percent = ParseNumber(words[2]);
  if (!count || *count < 0 || !percent || *percent < 1 || *percent > 95) {
    return answer.Fail("reserve", EINVAL);
  }
  const int error = spinners_.Reserve(*count, *percent);
  return error == 0 ? kDone : answer.Fail("reserve", error);
}

int Questions::Hog(Answer& answer, const Words& words) {
  const std::optional<int> milliseconds = ParseNumber(words[1]);
  if (!milliseconds) {
    return answer.Fail("hog", EINVAL);
  }
  // The answer leaves the UART by interrupts, which nothing holds up.
  const int error = spinners_.Hog(*milliseconds, [&] { answer.End(kDone); });
  return error == 0 ? kLater : answer.Fail("hog", error);
}

int Questions::AutoOnline(Answer& answer, const Words& words) {
  if (words.size() > 1) {
    if (words[1] != "on" && words[1] != "off") {
      return answer.Fail("auto-online", EINVAL);
    }
    cpus_.set_auto_online(words[1] == "on");
  }
  answer.Line(cpus_.auto_online() ? "on" : "off");
  return kDone;
}

int Questions::OnlineCpu(Answer& answer, const Words& words) {
  const std::optional<int> cpu = ParseNumber(words[1]);
  if (!cpu || (words[2] != "0" && words[2] != "1")) {
    return answer.Fail("online-cpu", EINVAL);
  }
  const Switched switched = SwitchCpu(*cpu, words[2] == "1");
  if (switched.error != 0) {
    return answer.Fail("cpu " + words[1], switched.error);
  }
  answer.Line(std::to_string(switched.microseconds));
  return kDone;
}

int Questions::WaitOnline(Answer& answer, const Words& words, const std::string& id) {
  const std::optional<std::set<int>> wanted = ParseCpuList(words[1]);
  const std::optional<int> milliseconds = ParseNumber(words[2]);
  if (!wanted || !milliseconds || *milliseconds < 0) {
    return answer.Fail("wait-online", EINVAL);
  }
  waiting_.push_back({.id = id,
                      .wanted = *wanted,
                      .deadline = Clock::now() + std::chrono::milliseconds(*milliseconds)});
  CheckWaiting();
  return kLater;
}

void Questions::CheckWaiting() {
  const std::set<int> online = AcpiIds("online");
  std::erase_if(waiting_, [&](const Waiting& waiting) {
    const bool there = waiting.wanted == online;
    if (!there && Clock::now() < waiting.deadline) {
      return false;
    }
    Answer answer(console_, waiting.id);
    answer.Line(FormatCpuList(online));
    answer.End(there ? kDone : kFailed);
    return true;
  });
}

std::optional<Questions::Clock::time_point> Questions::NextDeadline() const {
  std::optional<Clock::time_point> next;
  for (const Waiting& waiting : waiting_) {
    if (!next || waiting.deadline < *next) {
      next = waiting.deadline;
    }
  }
  return next;
}

int Questions::Help(Answer& answer) {
  for (const Question& question : All()) {
    const std::string arguments = question.arguments;
    answer.Line(std::string(question.name) + (arguments.empty() ? "" : " ") + arguments + ": " +
                question.help);
  }
  return kDone;
}

}  // namespace tidevm::guest
