//! An ESP32-C3 that runs the core of the firmware, without ESP-IDF: what c/port.h asks of the chip, by esp-hal, and the
//! main program, which is c/app.c.
#![no_std]
#![no_main]

mod net;

use core::{
    cell::UnsafeCell,
    ffi::{CStr, c_char},
    slice,
};

use esp_backtrace as _;
use esp_bootloader_esp_idf::partitions::{PARTITION_TABLE_MAX_LEN, read_partition_table};
use esp_hal::{
    clock::CpuClock,
    rng::Rng,
    rtc_cntl::SocResetReason,
    time::{Duration, Instant},
    timer::timg::TimerGroup,
    uart::UartRx,
    usb::usb_serial_jtag::UsbSerialJtag,
};
use esp_rtos::CurrentThreadHandle;
use esp_storage::FlashStorage;

esp_bootloader_esp_idf::esp_app_desc!(
    env!("UNHIDRA_VERSION"),
    env!("UNHIDRA_PRODUCT"),
    "\0", // no time and no date: the same source makes the same image
    "\0",
    "esp-hal 1.2.2",
    esp_bootloader_esp_idf::MMU_PAGE_SIZE,
    0,
    u16::MAX,
    0
);

/// What the main thread alone uses.
struct Main<T>(UnsafeCell<Option<T>>);

// SAFETY: only the thread that main starts on touches it; there is no interrupt that does.
unsafe impl<T> Sync for Main<T> {}

impl<T> Main<T> {
    const fn new() -> Self {
        Self(UnsafeCell::new(None))
    }

    fn set(&self, value: T) {
        // SAFETY: as above, and main sets it before anybody has it.
        unsafe { *self.0.get() = Some(value) }
    }

    #[allow(clippy::mut_from_ref)]
    fn get(&self) -> &mut T {
        // SAFETY: as above; no function of this port calls another that uses the same value.
        unsafe { (*self.0.get()).as_mut().expect("main has set it") }
    }
}

static FLASH: Main<FlashStorage<'static>> = Main::new();
static CONSOLE: Main<(
    UartRx<'static, esp_hal::Blocking>,
    UsbSerialJtag<'static, esp_hal::Blocking>,
)> = Main::new();
static NET: Main<net::Net> = Main::new();

unsafe extern "C" {
    fn unhidra_main() -> !;
}

#[esp_hal::main]
fn main() -> ! {
    let p = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    esp_alloc::heap_allocator!(#[esp_hal::ram(reclaimed)] size: 64 * 1024);
    esp_alloc::heap_allocator!(size: 96 * 1024);
    esp_rtos::start(TimerGroup::new(p.TIMG0).timer0, p.FROM_CPU_INTR0);
    FLASH.set(FlashStorage::new(p.FLASH));
    let uart = UartRx::new(p.UART0, esp_hal::uart::Config::default())
        .expect("115200 baud")
        .with_rx(p.GPIO20);
    CONSOLE.set((uart, UsbSerialJtag::new(p.USB_DEVICE)));
    NET.set(net::Net::new(p.WIFI));
    // SAFETY: c/app.c has it, and all that it calls is set.
    unsafe { unhidra_main() }
}

/// Sleeps; other threads run.
fn nap(ms: u32) {
    CurrentThreadHandle::get().delay(Duration::from_millis(ms.into()));
}

#[unsafe(no_mangle)]
extern "C" fn chip_uptime_ms() -> u64 {
    Instant::now().duration_since_epoch().as_millis()
}

#[unsafe(no_mangle)]
extern "C" fn chip_free_memory() -> u32 {
    esp_alloc::HEAP.free() as u32
}

#[unsafe(no_mangle)]
extern "C" fn chip_revision() -> u32 {
    let is = esp_hal::efuse::chip_revision();
    u32::from(is.major) * 100 + u32::from(is.minor)
}

#[unsafe(no_mangle)]
extern "C" fn chip_reset_reason() -> *const c_char {
    let text = match esp_hal::system::reset_reason() {
        Some(SocResetReason::ChipPowerOn) => c"power_on",
        Some(SocResetReason::CoreSw | SocResetReason::Cpu0Sw) => c"software",
        Some(SocResetReason::CoreDeepSleep) => c"deep_sleep",
        Some(SocResetReason::SysBrownOut) => c"brownout",
        Some(SocResetReason::CoreUsbUart | SocResetReason::CoreUsbJtag) => c"external",
        Some(
            SocResetReason::CoreMwdt0
            | SocResetReason::CoreMwdt1
            | SocResetReason::CoreRtcWdt
            | SocResetReason::Cpu0Mwdt0
            | SocResetReason::Cpu0Mwdt1
            | SocResetReason::Cpu0RtcWdt
            | SocResetReason::SysRtcWdt
            | SocResetReason::SysSuperWdt,
        ) => c"watchdog",
        Some(_) => c"other",
        None => c"unknown",
    };
    text.as_ptr()
}

/// # Safety
/// b has n bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn chip_random(b: *mut u8, n: usize) {
    // SAFETY: as the caller promises. The radio is on: NET is made before c/app.c runs.
    Rng::new().read(unsafe { slice::from_raw_parts_mut(b, n) });
}

#[unsafe(no_mangle)]
extern "C" fn chip_nap(ms: u32) {
    nap(ms);
}

#[unsafe(no_mangle)]
extern "C" fn chip_restart() -> ! {
    esp_hal::system::software_reset()
}

/// # Safety
/// b has n bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn chip_write(b: *const u8, n: usize) {
    // SAFETY: as the caller promises.
    esp_println::Printer::write_bytes(unsafe { slice::from_raw_parts(b, n) });
}

#[unsafe(no_mangle)]
extern "C" fn chip_read() -> i32 {
    let (uart, usb) = CONSOLE.get();
    if let Ok(b) = usb.read_byte() {
        return b.into();
    }
    let mut b = [0];
    match uart.read_buffered(&mut b) {
        Ok(1) => b[0].into(),
        _ => -1, // also what came in an error: a line whose bytes are missing is no JSON
    }
}

const WORD: usize = 4;

/// Words of flash that have n bytes at a place, a piece at a time: where the words begin, which bytes of them are
/// meant, and which of the n these are.
fn pieces(at: u32, n: usize) -> impl Iterator<Item = (u32, core::ops::Range<usize>, core::ops::Range<usize>)> {
    const PIECE: usize = 256;
    let mut done = 0;
    core::iter::from_fn(move || {
        let from = at as usize + done;
        let skip = from % WORD;
        let take = (n - done).min(PIECE - skip);
        if take == 0 {
            return None;
        }
        done += take;
        Some(((from - skip) as u32, skip..skip + take, done - take..done))
    })
}

#[repr(C, align(4))]
struct Words([u8; 256]);

/// # Safety
/// b has n bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn chip_flash_read(at: u32, b: *mut u8, n: usize) -> bool {
    // SAFETY: as the caller promises.
    let b = unsafe { slice::from_raw_parts_mut(b, n) };
    let mut words = Words([0; 256]);
    pieces(at, n).all(|(at, of_words, of_b)| {
        let end = of_words.end.next_multiple_of(WORD);
        let good = FLASH.get().read_nor(at, &mut words.0[..end]).is_ok();
        b[of_b].copy_from_slice(&words.0[of_words]);
        good
    })
}

/// # Safety
/// b has n bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn chip_flash_write(at: u32, b: *const u8, n: usize) -> bool {
    // SAFETY: as the caller promises.
    let b = unsafe { slice::from_raw_parts(b, n) };
    pieces(at, n).all(|(at, of_words, of_b)| {
        let mut words = Words([0xff; 256]); // which changes nothing where it is written
        let end = of_words.end.next_multiple_of(WORD);
        words.0[of_words].copy_from_slice(&b[of_b]);
        FLASH.get().write_nor(at, &words.0[..end]).is_ok()
    })
}

#[unsafe(no_mangle)]
extern "C" fn chip_flash_erase(at: u32) -> bool {
    FLASH.get().erase(at, at + FlashStorage::SECTOR_SIZE).is_ok()
}

/// # Safety
/// name ends with a NUL; the others can be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn chip_partition(name: *const c_char, at: *mut u32, size: *mut u32) -> bool {
    // SAFETY: as the caller promises.
    let (name, at, size) = unsafe { (CStr::from_ptr(name), &mut *at, &mut *size) };
    let mut table = [0; PARTITION_TABLE_MAX_LEN];
    let Ok(table) = read_partition_table(FLASH.get(), &mut table) else {
        return false;
    };
    let Some(found) = table.iter().find(|p| p.label_as_str().as_bytes() == name.to_bytes()) else {
        return false;
    };
    (*at, *size) = (found.offset(), found.len());
    true
}

#[unsafe(no_mangle)]
extern "C" fn chip_runs_at() -> u32 {
    let mut table = [0; PARTITION_TABLE_MAX_LEN];
    let Ok(table) = read_partition_table(FLASH.get(), &mut table) else {
        return 0;
    };
    table.booted_partition().ok().flatten().map_or(0, |p| p.offset())
}

/// # Safety
/// Both end with a NUL.
#[unsafe(no_mangle)]
unsafe extern "C" fn net_join(ssid: *const c_char, password: *const c_char, within_ms: u32) -> bool {
    // SAFETY: as the caller promises.
    let (ssid, password) = unsafe { (CStr::from_ptr(ssid), CStr::from_ptr(password)) };
    match (ssid.to_str(), password.to_str()) {
        (Ok(ssid), Ok(password)) => NET.get().join(ssid, password, within_ms),
        _ => false,
    }
}

/// # Safety
/// host ends with a NUL.
#[unsafe(no_mangle)]
unsafe extern "C" fn net_dial(host: *const c_char, port: u16, wait_ms: u32) -> bool {
    // SAFETY: as the caller promises.
    let Ok(host) = unsafe { CStr::from_ptr(host) }.to_str() else {
        return false;
    };
    NET.get().dial(host, port, wait_ms)
}

/// # Safety
/// b has cap bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn net_recv(b: *mut u8, cap: usize, wait_ms: u32) -> i32 {
    // SAFETY: as the caller promises.
    NET.get().recv(unsafe { slice::from_raw_parts_mut(b, cap) }, wait_ms)
}

/// # Safety
/// b has n bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn net_send(b: *const u8, n: usize, wait_ms: u32) -> i32 {
    // SAFETY: as the caller promises.
    NET.get().send(unsafe { slice::from_raw_parts(b, n) }, wait_ms)
}

#[unsafe(no_mangle)]
extern "C" fn net_hang_up() {
    NET.get().hang_up();
}
