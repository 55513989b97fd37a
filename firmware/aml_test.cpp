// Each test shows the ASL above the bytes that it must become.
#include "firmware/aml.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "firmware/aml_path.h"
#include "firmware/aml_resources.h"
#include "firmware/bytes.h"
#include "firmware/hex_test_util.h"

namespace tidevm::firmware::aml {
namespace {

std::string Hex(const Term& term) { return firmware::Hex(term.bytes()); }

std::string Hex(const Path& path) { return Hex(Ref(path)); }

TEST(AmlPath, PrefixFollowsTheNumberOfSegments) {
  EXPECT_EQ(Hex(Path("_STA")), "5f 53 54 41");
  EXPECT_EQ(Hex(Path("\\_SB")), "5c 5f 53 42 5f");
  EXPECT_EQ(Hex(Path("\\_SB.CPUS")), "5c 2e 5f 53 42 5f 43 50 55 53");
  EXPECT_EQ(Hex(Path("\\_SB.CPUS.CSCN")), "5c 2f 03 5f 53 42 5f 43 50 55 53 43 53 43 4e");
}

TEST(AmlPath, NumberIsWrittenAsThreeHexadecimalDigits) {
  EXPECT_EQ(Hex(Path::Numbered('C', 0)), "43 30 30 30");
  EXPECT_EQ(Hex(Path::Numbered('C', 10)), "43 30 30 41");
  EXPECT_EQ(Hex(Path::Numbered('C', 4095)), "43 46 46 46");
}

TEST(AmlInteger, TakesTheFewestBytes) {
  EXPECT_EQ(Hex(Integer(0)), "00");
  EXPECT_EQ(Hex(Integer(1)), "01");
  EXPECT_EQ(Hex(Integer(2)), "0a 02");
  EXPECT_EQ(Hex(Integer(0xff)), "0a ff");
  EXPECT_EQ(Hex(Integer(0x100)), "0b 00 01");
  EXPECT_EQ(Hex(Integer(0xffff)), "0b ff ff");
  EXPECT_EQ(Hex(Integer(0x10000)), "0c 00 00 01 00");
  EXPECT_EQ(Hex(Integer(0xffffffff)), "0c ff ff ff ff");
  EXPECT_EQ(Hex(Integer(0x100000000)), "0e 00 00 00 00 01 00 00 00");
  EXPECT_EQ(Hex(Integer(~std::uint64_t{0})), "ff");
}

TEST(AmlPkgLength, CountsItself) {
  EXPECT_EQ(firmware::Hex(PkgLength(0)), "01");
  EXPECT_EQ(firmware::Hex(PkgLength(62)), "3f");          // 63, the most for one byte
  EXPECT_EQ(firmware::Hex(PkgLength(63)), "41 04");       // 65: one byte cannot say 64
  EXPECT_EQ(firmware::Hex(PkgLength(4093)), "4f ff");     // 4095
  EXPECT_EQ(firmware::Hex(PkgLength(4094)), "81 00 01");  // 4097
  EXPECT_EQ(firmware::Hex(PkgLength((1U << 20) - 4)), "8f ff ff");
  EXPECT_EQ(firmware::Hex(PkgLength((1U << 20) - 3)), "c1 00 00 01");
}

TEST(AmlData, EisaIdIsPackedMostSignificantByteFirst) {
  // EisaId ("PNP0501")
  EXPECT_EQ(Hex(EisaId("PNP0501")), "0c 41 d0 05 01");
  // EisaId ("PNP0C0C")
  EXPECT_EQ(Hex(EisaId("PNP0C0C")), "0c 41 d0 0c 0c");
}

TEST(AmlData, StringIsTerminated) {
  // "COM1"
  EXPECT_EQ(Hex(String("COM1")), "0d 43 4f 4d 31 00");
}

TEST(AmlData, BufferStatesItsSize) {
  // Buffer () { 0xAA, 0xBB }
  EXPECT_EQ(Hex(Buffer(Bytes{std::byte{0xaa}, std::byte{0xbb}})), "11 05 0a 02 aa bb");
}

TEST(AmlData, PackageCountsItsElements) {
  // Package () { 0x05, Zero }
  EXPECT_EQ(Hex(Package({Integer(5), Integer(0)})), "12 05 02 0a 05 00");
}

TEST(AmlObject, Name) {
  // Name (_UID, One)
  EXPECT_EQ(Hex(Name("_UID", Integer(1))), "08 5f 55 49 44 01");
}

TEST(AmlObject, ScopeAndDeviceHoldTheirBody) {
  // Scope (\_SB) { Name (_UID, One) }
  EXPECT_EQ(Hex(Scope("\\_SB", {Name("_UID", Integer(1))})),
            "10 0c 5c 5f 53 42 5f 08 5f 55 49 44 01");
  // Device (COM1) { Name (_UID, One) }
  EXPECT_EQ(Hex(Device("COM1", {Name("_UID", Integer(1))})),
            "5b 82 0b 43 4f 4d 31 08 5f 55 49 44 01");
}

TEST(AmlObject, MethodFlagsHoldArgumentsAndSerialization) {
  // Method (_STA, 0, NotSerialized) { Return (0x0F) }
  EXPECT_EQ(Hex(Method("_STA", 0, Sync::kNotSerialized, {Return(Integer(0xf))})),
            "14 09 5f 53 54 41 00 a4 0a 0f");
  // Method (_OST, 3, Serialized) {}
  EXPECT_EQ(Hex(Method("_OST", 3, Sync::kSerialized, {})), "14 06 5f 4f 53 54 0b");
}

TEST(AmlObject, MutexIsAcquiredForEver) {
  // Mutex (CPLK, 0)
  EXPECT_EQ(Hex(Mutex("CPLK")), "5b 01 43 50 4c 4b 00");
  // Acquire (CPLK, 0xFFFF)
  EXPECT_EQ(Hex(Acquire("CPLK")), "5b 23 43 50 4c 4b ff ff");
  // Release (CPLK)
  EXPECT_EQ(Hex(Release("CPLK")), "5b 27 43 50 4c 4b");
}

TEST(AmlObject, OperationRegion) {
  // OperationRegion (PRST, SystemIO, 0x0CD8, 0x0C)
  EXPECT_EQ(Hex(OperationRegion("PRST", Space::kSystemIo, 0xcd8, 12)),
            "5b 80 50 52 53 54 01 0b d8 0c 0a 0c");
}

TEST(AmlObject, FieldLengthsAreInBitsAndDoNotCountThemselves) {
  // Field (PRST, ByteAcc, NoLock, WriteAsZeros) { Offset (4), CFLG, 8 }
  EXPECT_EQ(Hex(Field("PRST", Access::kByte, Update::kWriteAsZeros,
                      {FieldUnit::Skip(32), FieldUnit::Named("CFLG", 8)})),
            "5b 81 0d 50 52 53 54 41 00 20 43 46 4c 47 08");
  // Field (PRST, DWordAcc, NoLock, Preserve) { Offset (8) , CDAT, 32 }
  EXPECT_EQ(Hex(Field("PRST", Access::kDword, Update::kPreserve,
                      {FieldUnit::Skip(64), FieldUnit::Named("CDAT", 32)})),
            "5b 81 0e 50 52 53 54 03 00 40 04 43 44 41 54 20");
}

TEST(AmlStatement, IfAndElse) {
  // If (Arg0) { Break }
  EXPECT_EQ(Hex(If(Arg(0), {Break()})), "a0 03 68 a5");
  // If (Arg0) { Break } Else { Return (Zero) }
  EXPECT_EQ(Hex(IfElse(Arg(0), {Break()}, {Return(Integer(0))})), "a0 03 68 a5 a1 03 a4 00");
}

TEST(AmlStatement, While) {
  // While (One) { Local0++ }
  EXPECT_EQ(Hex(While(Integer(1), {Increment(Local(0))})), "a2 04 01 75 60");
}

TEST(AmlStatement, Store) {
  // CSEL = Arg6
  EXPECT_EQ(Hex(Store(Arg(6), Ref("CSEL"))), "70 6e 43 53 45 4c");
}

TEST(AmlStatement, Notify) {
  // Notify (C000, Arg1)
  EXPECT_EQ(Hex(Notify("C000", Arg(1))), "86 43 30 30 30 69");
}

TEST(AmlStatement, CallPutsItsArgumentsBehindTheName) {
  // CTFY (Local1, 0x03)
  EXPECT_EQ(Hex(Call("CTFY", {Local(1), Integer(3)})), "43 54 46 59 61 0a 03");
}

TEST(AmlExpression, Arithmetic) {
  // (Local0 + One)
  EXPECT_EQ(Hex(Add(Local(0), Integer(1))), "72 60 01 00");
  // (Local7 & 0x02)
  EXPECT_EQ(Hex(And(Local(7), Integer(2))), "7b 67 0a 02 00");
}

TEST(AmlExpression, Comparison) {
  // (Arg0 == One)
  EXPECT_EQ(Hex(LEqual(Arg(0), Integer(1))), "93 68 01");
  // (Arg0 > One)
  EXPECT_EQ(Hex(LGreater(Arg(0), Integer(1))), "94 68 01");
  // (Arg0 < One)
  EXPECT_EQ(Hex(LLess(Arg(0), Integer(1))), "95 68 01");
  // !Arg0
  EXPECT_EQ(Hex(LNot(Arg(0))), "92 68");
}

TEST(AmlResources, TemplateEndsInTheEndTag) {
  // ResourceTemplate ()
  // {
  //     IO (Decode16, 0x03F8, 0x03F8, 0x01, 0x08)
  //     Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 4 }
  // }
  EXPECT_EQ(Hex(ResourceTemplate({Io(0x3f8, 8), Interrupt(Trigger::kEdge, 4)})),
            "11 16 0a 13 47 01 f8 03 f8 03 01 08 89 06 00 03 01 04 00 00 00 79 00");
}

TEST(AmlResources, LevelInterrupt) {
  // Interrupt (ResourceConsumer, Level, ActiveHigh, Exclusive) { 16 }
  EXPECT_EQ(firmware::Hex(Interrupt(Trigger::kLevel, 16).bytes), "89 06 00 01 01 10 00 00 00");
}

}  // namespace
}  // namespace tidevm::firmware::aml
