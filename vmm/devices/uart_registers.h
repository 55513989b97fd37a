// Registers of the 16550 family, as a driver sees them.
// Source: National Semiconductor PC16550D data sheet, 8.0 "Registers" and table II; the same in
// Texas Instruments TL16C550C, "Principles of operation".
#pragma once

#include <cstddef>
#include <cstdint>

namespace tidevm::devices::uart {

// Offsets. With LCR's DLAB set, 0 and 1 are the divisor latch instead.
inline constexpr std::uint64_t kData = 0;             // read: receiver buffer, write: transmitter
inline constexpr std::uint64_t kInterruptEnable = 1;  // IER
inline constexpr std::uint64_t kInterruptId = 2;      // IIR on read
inline constexpr std::uint64_t kFifoControl = 2;      // FCR on write
inline constexpr std::uint64_t kLineControl = 3;      // LCR
inline constexpr std::uint64_t kModemControl = 4;     // MCR
inline constexpr std::uint64_t kLineStatus = 5;       // LSR
inline constexpr std::uint64_t kModemStatus = 6;      // MSR
inline constexpr std::uint64_t kScratch = 7;          // SCR
inline constexpr std::uint64_t kDivisorLow = 0;
inline constexpr std::uint64_t kDivisorHigh = 1;
inline constexpr std::uint64_t kBlockSize = 8;

inline constexpr std::uint8_t kIerReceive = 1U << 0;     // data available, and time-out
inline constexpr std::uint8_t kIerTransmit = 1U << 1;    // transmitter holding register empty
inline constexpr std::uint8_t kIerLineStatus = 1U << 2;  // errors and break
inline constexpr std::uint8_t kIerModem = 1U << 3;       // a delta bit of MSR
inline constexpr std::uint8_t kIerMask = 0x0f;           // the rest reads 0

// IIR, in order of falling priority; and what makes each go away.
inline constexpr std::uint8_t kIirLineStatus = 0x06;  // LSR read
inline constexpr std::uint8_t kIirReceive = 0x04;     // FIFO below its trigger level
inline constexpr std::uint8_t kIirTimeout = 0x0c;     // receiver buffer read
inline constexpr std::uint8_t kIirTransmit = 0x02;  // this IIR read, or a write to the transmitter
inline constexpr std::uint8_t kIirModem = 0x00;     // MSR read
inline constexpr std::uint8_t kIirNone = 0x01;
inline constexpr std::uint8_t kIirFifosEnabled = 0xc0;

inline constexpr std::uint8_t kFcrEnable = 1U << 0;
inline constexpr std::uint8_t kFcrClearReceive = 1U << 1;
inline constexpr std::uint8_t kFcrTriggerShift = 6;  // 1, 4, 8 or 14 bytes

inline constexpr std::uint8_t kLcrDivisorLatch = 1U << 7;

inline constexpr std::uint8_t kMcrDtr = 1U << 0;
inline constexpr std::uint8_t kMcrRts = 1U << 1;
inline constexpr std::uint8_t kMcrOut1 = 1U << 2;
inline constexpr std::uint8_t kMcrOut2 = 1U << 3;
inline constexpr std::uint8_t kMcrLoop = 1U << 4;
inline constexpr std::uint8_t kMcrMask = 0x1f;  // the rest reads 0

inline constexpr std::uint8_t kLsrDataReady = 1U << 0;
inline constexpr std::uint8_t kLsrOverrun = 1U << 1;
inline constexpr std::uint8_t kLsrTransmitEmpty = 1U << 5;    // THRE
inline constexpr std::uint8_t kLsrTransmitterIdle = 1U << 6;  // TEMT

inline constexpr std::uint8_t kMsrDeltaCts = 1U << 0;
inline constexpr std::uint8_t kMsrDeltaDsr = 1U << 1;
inline constexpr std::uint8_t kMsrTrailingRing = 1U << 2;
inline constexpr std::uint8_t kMsrDeltaCarrier = 1U << 3;
inline constexpr std::uint8_t kMsrCts = 1U << 4;
inline constexpr std::uint8_t kMsrDsr = 1U << 5;
inline constexpr std::uint8_t kMsrRing = 1U << 6;
inline constexpr std::uint8_t kMsrCarrier = 1U << 7;

inline constexpr std::size_t kFifoSize = 16;

}  // namespace tidevm::devices::uart
