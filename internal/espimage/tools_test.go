package espimage

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/espimage/imagetest"
	"github.com/unhidra/unhidra/internal/testkit/firmwaretools"
)

// elfFile makes an ELF file of 32 bits for a chip, with an application descriptor in flash and some code in RAM.
func elfFile(chip Chip) []byte {
	machine := uint16(243) // RISC-V
	if slices.Contains([]string{"esp32", "esp32s2", "esp32s3"}, chip.Name) {
		machine = 94 // Xtensa
	}
	app := imagetest.Build(imagetest.App{ChipID: chip.ID, Project: "greenhouse", Version: "2.4.0", SDK: "v6.1",
		SecureVersion: 2})
	type section struct {
		name       string
		kind, flag uint32
		address    uint32
		data       []byte
	}
	names := []byte("\x00.flash.appdesc\x00.iram0.text\x00.shstrtab\x00")
	sections := []section{{},
		{".flash.appdesc", 1, 2, binary.LittleEndian.Uint32(app[headerSize:]), app[descriptorAt:][:descriptorSize]},
		{".iram0.text", 1, 6, 0x40380000, imagetest.Code(4000, 1)},
		{".shstrtab", 3, 0, 0, names}}
	var body, table bytes.Buffer
	const header = 52
	for _, s := range sections {
		name := max(0, bytes.Index(names, append([]byte(s.name), 0)))
		_ = binary.Write(&table, binary.LittleEndian, []uint32{uint32(name), s.kind, s.flag, s.address,
			uint32(header + body.Len()), uint32(len(s.data)), 0, 0, 4, 0})
		body.Write(s.data)
		body.Write(make([]byte, -body.Len()&3))
	}
	b := append([]byte("\x7fELF\x01\x01\x01"), make([]byte, 9)...)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, machine)
	for _, v := range []uint32{1, 0x40380000, 0, uint32(header + body.Len()), 0} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	for _, v := range []uint16{header, 32, 0, 40, uint16(len(sections)), uint16(len(sections) - 1)} {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	return append(append(b, body.Bytes()...), table.Bytes()...)
}

func write(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, name string) (*Image, []byte) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, b), b
}

// esptool makes an image for each chip, which is read; and it reads ours.
func TestEsptoolAndThisPackageReadEachOthersImages(t *testing.T) {
	t.Parallel()
	firmwaretools.Need(t)
	for _, chip := range Chips() {
		t.Run(chip.Name, func(t *testing.T) {
			t.Parallel()
			dir, elf := t.TempDir(), elfFile(chip)
			write(t, filepath.Join(dir, "a.elf"), elf)
			firmwaretools.Must(t, dir, "esptool", "--chip", chip.Name, "elf2image", "--flash-mode", "dio", "--flash-size", "4MB",
				"--elf-sha256-offset", "0xb0", "-o", "a.bin", "a.elf")
			i, b := readFile(t, filepath.Join(dir, "a.bin"))
			expectCodes(t, i)
			if i.Chip != chip.Name || i.Project != "greenhouse" || i.Version != "2.4.0" || i.SecureVersion != 2 ||
				i.ELFSHA256 != fmt.Sprintf("%x", sha256.Sum256(elf)) || i.ImageSize != int64(len(b)) {
				t.Errorf("%+v", i)
			}
			e, err := ReadELF(bytes.NewReader(elf), int64(len(elf)))
			if err != nil || e.ELFSHA256 != i.ELFSHA256 || e.Refused() {
				t.Errorf("%+v, %v", e, err)
			}
			a := app()
			a.ChipID = chip.ID
			write(t, filepath.Join(dir, "b.bin"), imagetest.Build(a))
			out := firmwaretools.Must(t, dir, "esptool", "--chip", chip.Name, "image-info", "b.bin")
			for _, want := range []string{"(valid)", "greenhouse", "2.4.0", fmt.Sprintf("Secure version: %d", a.SecureVersion)} {
				if !strings.Contains(out, want) {
					t.Errorf("esptool does not say %q:\n%s", want, out)
				}
			}
			if strings.Contains(out, "invalid") {
				t.Errorf("esptool says:\n%s", out)
			}
		})
	}
}

func TestASecurePaddedImageIsRead(t *testing.T) {
	t.Parallel()
	firmwaretools.Need(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.elf"), elfFile(Chip{ID: 5, Name: "esp32c3"}))
	firmwaretools.Must(t, dir, "esptool", "--chip", "esp32c3", "elf2image", "--flash-mode", "dio", "--flash-size", "4MB",
		"--elf-sha256-offset", "0xb0", "--secure-pad-v2", "-o", "a.bin", "a.elf")
	i, b := readFile(t, filepath.Join(dir, "a.bin"))
	expectCodes(t, i)
	if len(b)%(64<<10) != 0 || i.ImageSize != int64(len(b)) {
		t.Errorf("%d bytes, of which the image has %d", len(b), i.ImageSize)
	}
}

func TestSignaturesOfEspsecureAreVerified(t *testing.T) {
	t.Parallel()
	firmwaretools.Need(t)
	for scheme, want := range map[string]string{"rsa3072": schemeRSA, "ecdsa192": "ECDSA P-192", "ecdsa256": "ECDSA P-256",
		"ecdsa384": "ECDSA P-384"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			a := app()
			a.ChipID = 0x0d
			write(t, filepath.Join(dir, "a.bin"), imagetest.Build(a))
			for _, key := range []string{"k1.pem", "k2.pem"} {
				firmwaretools.Must(t, dir, "espsecure", "generate-signing-key", "--version", "2", "--scheme", scheme, key)
			}
			firmwaretools.Must(t, dir, "espsecure", "sign-data", "--version", "2", "--keyfile", "k1.pem", "--output", "b.bin",
				"a.bin")
			firmwaretools.Must(t, dir, "espsecure", "digest-sbv2-public-key", "--keyfile", "k1.pem", "--output", "digest")
			digest, err := os.ReadFile(filepath.Join(dir, "digest"))
			if err != nil {
				t.Fatal(err)
			}
			i, _ := readFile(t, filepath.Join(dir, "b.bin"))
			expectCodes(t, i)
			if len(i.Signatures) != 1 || i.Signatures[0] != (Signature{want, hex.EncodeToString(digest), true}) {
				t.Errorf("%+v, and espsecure has the digest %x", i.Signatures, digest)
			}
			firmwaretools.Must(t, dir, "espsecure", "sign-data", "--version", "2", "--keyfile", "k2.pem", "--append-signatures",
				"--output", "c.bin", "b.bin")
			i, _ = readFile(t, filepath.Join(dir, "c.bin"))
			expectCodes(t, i)
			if len(i.Signatures) != 2 || !i.Signatures[1].Valid {
				t.Errorf("%+v", i.Signatures)
			}
		})
	}
}

func TestEspsecureVerifiesSignaturesOfThisPackage(t *testing.T) {
	t.Parallel()
	firmwaretools.Need(t)
	dir := t.TempDir()
	for n, key := range keys(t) {
		b, err := imagetest.Sign(imagetest.Build(app()), key)
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprint("signed", n)
		write(t, filepath.Join(dir, name), b)
		write(t, filepath.Join(dir, name+".pem"), publicPEM(t, key))
		firmwaretools.Must(t, dir, "espsecure", "verify-signature", "--version", "2", "--keyfile", name+".pem", name)
		b[1000] ^= 1
		write(t, filepath.Join(dir, name), b)
		if out, err := firmwaretools.Run(t, dir, "espsecure", "verify-signature", "--version", "2", "--keyfile", name+".pem",
			name); err == nil {
			t.Errorf("espsecure verifies what was changed:\n%s", out)
		}
	}
}

func publicPEM(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// What real tools make of other kinds is refused by name: images of ESP8266 of MicroPython, and a factory image.
func TestRealFilesOfOtherKindsAreRefusedByName(t *testing.T) {
	t.Parallel()
	firmwaretools.Need(t)
	for _, name := range []string{"esp8266-20180511-v1.9.4", "esp8266-20190125-v1.10"} {
		expectCodes(t, read(t, firmwaretools.Sample(t, "micropython/"+name+".bin")), "esp8266")
		expectCodes(t, read(t, firmwaretools.Sample(t, "micropython/"+name+".elf")), "elf")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "app.bin"), imagetest.Build(app()))
	write(t, filepath.Join(dir, "table.bin"), []byte("\xaa\x50\x00\x00\x00\x00\x01\x00"+strings.Repeat("\x00", 24)))
	firmwaretools.Must(t, dir, "esptool", "--chip", "esp32c3", "merge-bin", "-o", "flash.bin", "0x0", "app.bin", "0x8000",
		"table.bin", "0x10000", "app.bin")
	i, _ := readFile(t, filepath.Join(dir, "flash.bin"))
	expectCodes(t, i, "factory_image")
	firmwaretools.Must(t, dir, "esptool", "--chip", "esp32c3", "merge-bin", "--format", "uf2", "-o", "flash.uf2", "0x0",
		"app.bin")
	i, _ = readFile(t, filepath.Join(dir, "flash.uf2"))
	expectCodes(t, i, "uf2")
}
