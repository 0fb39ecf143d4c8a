//! Compiles the core, its ports and Mbed TLS with the GCC of RISC-V, and links them into the image.
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

/// What is read from the environment. .ci/firmware-image sets it.
fn given(name: &str, otherwise: &str) -> String {
    println!("cargo::rerun-if-env-changed={name}");
    env::var(name).unwrap_or_else(|_| otherwise.into())
}

fn changed(path: &Path) -> SystemTime {
    fs::metadata(path)
        .and_then(|m| m.modified())
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// All files of a folder with an ending, in their order.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let list = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut found: Vec<PathBuf> = list.map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|e| e == ending));
    found.sort();
    found
}

/// A library of C.
struct Library<'a> {
    name: &'a str,
    sources: Vec<PathBuf>,
    headers: Vec<PathBuf>,
    options: Vec<String>,
}

impl Library<'_> {
    /// Compiles what is newer than its object, and archives all.
    fn build(&self, out: &Path) {
        let options = self.options.join(" ");
        let folder = out.join(self.name);
        fs::create_dir_all(&folder).unwrap();
        let before = folder.join("options");
        let same = fs::read_to_string(&before).is_ok_and(|b| b == options);
        let newest = self
            .headers
            .iter()
            .map(|h| changed(h))
            .max()
            .unwrap_or(SystemTime::UNIX_EPOCH);
        let mut objects = Vec::new();
        for source in &self.sources {
            let object = folder.join(source.file_stem().unwrap()).with_extension("o");
            if !same || changed(&object) < newest.max(changed(source)) {
                let mut gcc = Command::new("riscv64-unknown-elf-gcc");
                gcc.args([
                    "--specs=picolibc.specs",
                    "-march=rv32imc",
                    "-mabi=ilp32",
                    "-std=gnu11",
                    "-g",
                ]);
                gcc.args([
                    "-ffunction-sections",
                    "-fdata-sections",
                    "-fno-common",
                    "-ffreestanding",
                    "-fno-builtin-printf",
                ]);
                gcc.args(&self.options).arg("-c").arg(source).arg("-o").arg(&object);
                assert!(
                    gcc.status().expect("riscv64-unknown-elf-gcc").success(),
                    "{}",
                    source.display()
                );
            }
            objects.push(object);
        }
        fs::write(before, options).unwrap();
        let archive = out.join(format!("lib{}.a", self.name));
        let _ = fs::remove_file(&archive);
        let mut ar = Command::new("riscv64-unknown-elf-ar");
        assert!(
            ar.arg("rcsD")
                .arg(&archive)
                .args(objects)
                .status()
                .expect("ar")
                .success()
        );
        println!("cargo::rustc-link-lib=static:-bundle={}", self.name);
    }
}

fn main() {
    let out = PathBuf::from(env::var("OUT_DIR").unwrap());
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap());
    let firmware = here.parent().unwrap();
    let tls = PathBuf::from(given("UNHIDRA_MBEDTLS", "sources/mbedtls"));
    let product = given("UNHIDRA_PRODUCT", "unhidra-device");
    let version = given("UNHIDRA_VERSION", "1.0.0");
    let code = given("UNHIDRA_VERSION_CODE", "1");
    println!("cargo::rustc-env=UNHIDRA_PRODUCT={product}");
    println!("cargo::rustc-env=UNHIDRA_VERSION={version}");

    let root = given("UNHIDRA_ROOT", "");
    assert!(
        !root.is_empty(),
        "UNHIDRA_ROOT names no file: make firmware-image sets it"
    );
    println!("cargo::rerun-if-changed={root}");
    let bytes = fs::read(&root).unwrap_or_else(|e| panic!("{root}: {e}"));
    let list: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let text = format!(
        "const unsigned char root_start[] = {{{}}};\nconst unsigned root_size = sizeof root_start;\n",
        list.join(",")
    );
    let root_c = out.join("root.c");
    if fs::read_to_string(&root_c).map_or(true, |b| b != text) {
        fs::write(&root_c, text).unwrap();
    }

    let core = firmware.join("components/unhidra_core");
    let (flash, psa, own) = (firmware.join("ports/flash"), firmware.join("ports/psa"), here.join("c"));
    for folder in [&core, &flash, &psa, &own] {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    let home = env::var("CARGO_HOME").unwrap_or_else(|_| format!("{}/.cargo", env::var("HOME").unwrap_or_default()));
    let hidden = [
        format!("-ffile-prefix-map={}=firmware", firmware.display()),
        format!("-ffile-prefix-map={home}=cargo"),
        format!("-ffile-prefix-map={}=out", out.display()),
    ];
    let include = |folder: &Path| format!("-I{}", folder.display());
    let config = vec![
        include(&tls.join("include")),
        format!("-DMBEDTLS_CONFIG_FILE=\"{}/mbedtls_config.h\"", own.display()),
    ];
    let headers = [
        files(&core.join("include/unhidra"), "h"),
        files(&core.join("src"), "h"),
        files(&own, "h"),
        files(&flash, "h"),
        files(&psa, "h"),
    ]
    .concat();

    let strict = ["-Os", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"].map(String::from);
    Library {
        name: "unhidra_core",
        sources: files(&core.join("src"), "c"),
        headers: headers.clone(),
        options: [strict.to_vec(), hidden.to_vec(), vec![include(&core.join("include"))]].concat(),
    }
    .build(&out);
    let says = [
        format!("-DUNHIDRA_PRODUCT=\"{product}\""),
        format!("-DUNHIDRA_VERSION=\"{version}\""),
        format!("-DUNHIDRA_VERSION_CODE={code}"),
        format!("-DUNHIDRA_UPTIME={}", given("UNHIDRA_UPTIME", "0")),
    ];
    let folders = [
        include(&core.join("include")),
        include(&flash),
        include(&psa),
        include(&own),
    ];
    let lenient = ["-Os", "-Wall", "-Wextra", "-Werror"].map(String::from);
    Library {
        name: "unhidra_device",
        sources: [files(&own, "c"), files(&flash, "c"), files(&psa, "c"), vec![root_c]].concat(),
        headers,
        options: [
            lenient.to_vec(),
            hidden.to_vec(),
            says.to_vec(),
            folders.to_vec(),
            config.clone(),
        ]
        .concat(),
    }
    .build(&out);
    Library {
        name: "mbedtls",
        sources: files(&tls.join("library"), "c"),
        headers: files(&own, "h"),
        options: [vec!["-Os".into()], hidden.to_vec(), config].concat(),
    }
    .build(&out);

    println!("cargo::rustc-link-search={}", out.display());
}
