// Interactive shells on a terminal of their own, and the Tab key.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tools/manual/manual.h"
#include "tools/tidectl/pty_test_util.h"

namespace tidevm::manual {
namespace {

class ShellTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "completion-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    shell_.reset();
    std::filesystem::remove_all(folder_);
  }
  /// `rc`: what the shell reads first.
  void Start(const std::vector<std::string>& words, const std::string& rc_name,
             const std::string& rc) {
    std::ofstream file(folder_ / rc_name);
    file << rc;
    for (const Program& program : AllPrograms()) {
      // The command that was completed shows what its arguments are.
      file << program.name << "() { printf 'GOT'; printf '<%s>' \"$@\"; echo; }\n";
    }
    file << "cd " << folder_.string() << "\nPS1='READY> '\n";
    file.close();
    shell_ = std::make_unique<tidectl::PtyProcess>(
        words,
        std::vector<std::string>{"TERM=xterm", "INPUTRC=/dev/null", "HOME=" + folder_.string(),
                                 "ZDOTDIR=" + folder_.string()},
        tidectl::ScreenSize{.rows = 24, .columns = 200});
    shell_->ReadUntil("READY> ");
  }
  /// The arguments, as "<a><b>", once the line has been completed (a tab each) and entered.
  std::string Arguments(const std::string& line) {
    shell_->Type(line + "\n");
    shell_->ReadUntil("GOT");
    const std::string output = shell_->ReadUntil("\r");
    shell_->ReadUntil("READY> ");
    return output.substr(0, output.size() - 1);
  }

  std::filesystem::path folder_;
  std::unique_ptr<tidectl::PtyProcess> shell_;
};

class BashTest : public ShellTest {
 protected:
  void SetUp() override {
    ShellTest::SetUp();
    std::string rc;
    for (const Program& program : AllPrograms()) {
      rc += BashCompletion(program);
    }
    Start({"bash", "--noprofile", "--rcfile", folder_ / "rc", "-i"}, "rc", rc);
  }
};

class ZshTest : public ShellTest {
 protected:
  void SetUp() override {
    if (std::system("command -v zsh >/dev/null") != 0) {
      GTEST_SKIP() << "there is no zsh";
    }
    ShellTest::SetUp();
    for (const Program& program : AllPrograms()) {
      std::ofstream(folder_ / ("_" + program.name)) << ZshCompletion(program);
    }
    Start({"zsh", "-d", "-i"}, ".zshrc",
          "fpath=(" + folder_.string() + " $fpath)\nautoload -U compinit\ncompinit -u -D\n");
  }
};

TEST_F(ZshTest, CommandsOptionsAndValues) {
  EXPECT_EQ(Arguments("tidectl oper\t"), "<operations>");
  EXPECT_EQ(Arguments("tidectl plug 3 --wai\t --tim\t1s"), "<plug><3><--wait><--timeout=1s>");
  EXPECT_EQ(Arguments("tidectl plug 3 --wait=on\t"), "<plug><3><--wait=online>");
  EXPECT_EQ(Arguments("tidectl status --wai\tX"), "<status><--waiX>");
  EXPECT_EQ(Arguments("tidevm --log-level de\t"), "<--log-level><debug>");
  EXPECT_EQ(Arguments("tidevm --dum\tx"), "<--dump-acpi=x>");
}

TEST_F(BashTest, CommandsAndTheirOptions) {
  EXPECT_EQ(Arguments("tidectl set-vcpus --w\t"), "<set-vcpus><--wait>");
  EXPECT_EQ(Arguments("tidectl oper\t"), "<operations>");
  EXPECT_EQ(Arguments("tidectl -s vm.sock --timeout=5s unpl\t"),
            "<-s><vm.sock><--timeout=5s><unplug>");
  EXPECT_EQ(Arguments("tidectl --deadline 1s --wait=online plug 3 --js\t"),
            "<--deadline><1s><--wait=online><plug><3><--json>");
}

TEST_F(BashTest, NothingThatTheCommandDoesNotTake) {
  EXPECT_EQ(Arguments("tidectl status --w\tX"), "<status><--wX>");
  EXPECT_EQ(Arguments("tidectl status oper\tX"), "<status><operX>");
  EXPECT_EQ(Arguments("tidectl --timeout 1\tX"), "<--timeout><1X>");
}

TEST_F(BashTest, ValuesOfOptions) {
  EXPECT_EQ(Arguments("tidectl set-vcpus 4 --wait=on\t"), "<set-vcpus><4><--wait=online>");
  EXPECT_EQ(Arguments("tidectl set-vcpus 4 --wait reg\t"), "<set-vcpus><4><--wait><registered>");
  EXPECT_EQ(Arguments("tidectl set-vcpus 4 --wait --dead\t"), "<set-vcpus><4><--wait><--deadline>");
  EXPECT_EQ(Arguments("tidevm --log-level de\t"), "<--log-level><debug>");
  EXPECT_EQ(Arguments("tidevm --serial=nu\t"), "<--serial=null>");
}

TEST_F(BashTest, FilesWhereFilesAreTaken) {
  std::ofstream(folder_ / "vmlinuz-6.1");
  std::filesystem::create_directory(folder_ / "tables");
  EXPECT_EQ(Arguments("tidevm --kernel vml\t"), "<--kernel><vmlinuz-6.1>");
  EXPECT_EQ(Arguments("tidevm -k vml\t"), "<-k><vmlinuz-6.1>");
  EXPECT_EQ(Arguments("tidevm --dump-acpi t\t"), "<--dump-acpi><tables/>");
  EXPECT_EQ(Arguments("tidevm --dump-acpi vml\tX"), "<--dump-acpi><vmlX>");
}

}  // namespace
}  // namespace tidevm::manual
