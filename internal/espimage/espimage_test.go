package espimage

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/espimage/imagetest"
)

func app() imagetest.App {
	return imagetest.App{ChipID: 5, RevisionMin: 3, RevisionMax: 199, Project: "greenhouse", Version: "2.4.0", SDK: "v6.1",
		SecureVersion: 1, ELF: [32]byte{1, 2, 3}, Code: imagetest.Code(20_000, 1)}
}

func read(t testing.TB, b []byte) *Image {
	t.Helper()
	i, err := Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// codes are the codes of the findings.
func codes(i *Image) (codes []string) {
	for _, f := range i.Findings {
		codes = append(codes, f.Code)
	}
	return codes
}

func expectCodes(t *testing.T, i *Image, want ...string) {
	t.Helper()
	if !slices.Equal(codes(i), want) {
		t.Errorf("findings are %+v, want %v", i.Findings, want)
	}
	for _, f := range i.Findings {
		if f.Text == "" || f.Fix == "" {
			t.Errorf("%+v does not say what to do", f)
		}
	}
}

func TestAnImageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for _, c := range Chips() {
		a := app()
		a.ChipID = c.ID
		b := imagetest.Build(a)
		i := read(t, b)
		expectCodes(t, i)
		if i.Chip != c.Name || i.RevisionMin != 3 || i.RevisionMax != 199 || i.Project != "greenhouse" ||
			i.Version != "2.4.0" || i.SDK != "v6.1" || i.SecureVersion != 1 ||
			i.ELFSHA256 != "010203"+strings.Repeat("00", 29) ||
			i.Built != "Nov 28 2026 12:00:00" || i.PageSize != 1<<16 || len(i.Segments) != 2 || i.FlashMode != "DIO" ||
			i.FlashSize != "4MB" || i.ImageSize != int64(len(b)) || i.Validation == "" || len(i.SHA256) != 64 {
			t.Errorf("%s: %+v", c.Name, i)
		}
	}
}

func TestRevisionsWithoutLimitAreUnderstood(t *testing.T) {
	t.Parallel()
	a := app()
	a.RevisionMin, a.RevisionMax = noRevision, 0
	if i := read(t, imagetest.Build(a)); i.RevisionMin != 0 || i.RevisionMax != noRevision {
		t.Errorf("%d to %d", i.RevisionMin, i.RevisionMax)
	}
}

func TestAnImageThatIsCutOffIsRefused(t *testing.T) {
	t.Parallel()
	whole := imagetest.Build(app())
	for n := 1; n < len(whole); n += 1 << 10 {
		if got := codes(read(t, whole[:n])); !slices.Equal(got, []string{"truncated"}) {
			t.Errorf("cut off after %d bytes: %v", n, got)
		}
	}
	for _, n := range []int{1, 23, 24, 31, len(whole) - 33, len(whole) - 32, len(whole) - 1} {
		if got := codes(read(t, whole[:n])); !slices.Equal(got, []string{"truncated"}) {
			t.Errorf("cut off after %d bytes: %v", n, got)
		}
	}
}

func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	whole := imagetest.Build(app())
	for at, want := range map[int][]string{
		0:              {"bad_magic"},
		1000:           {"bad_checksum", "bad_hash"},
		len(whole) - 1: {"bad_hash"},
		13:             {"unknown_chip", "bad_hash"},
	} {
		b := slices.Clone(whole)
		b[at] ^= 0x40
		expectCodes(t, read(t, b), want...)
	}
}

func TestFindingsSayWhatToChange(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		change func(*imagetest.App)
		want   []string
	}{
		{func(a *imagetest.App) { a.Version = "" }, []string{"no_version"}},
		{func(a *imagetest.App) { a.Version = "qa-test-esp32c61-master-20250701" }, []string{"cut_version"}},
		{func(a *imagetest.App) { a.Project = "" }, []string{"no_project"}},
		{func(a *imagetest.App) { a.ELF = [32]byte{} }, []string{"no_elf_hash"}},
		{func(a *imagetest.App) { a.SecureVersion = 33 }, []string{"bad_secure_version"}},
		{func(a *imagetest.App) { a.RevisionMin = 300 }, []string{"bad_revisions"}},
		{func(a *imagetest.App) { a.NoHash = true }, []string{"no_hash"}},
	} {
		a := app()
		test.change(&a)
		expectCodes(t, read(t, imagetest.Build(a)), test.want...)
	}
}

func TestWhatIsNoApplicationIsRefusedByName(t *testing.T) {
	t.Parallel()
	whole := imagetest.Build(app())
	bootloader, bare := slices.Clone(whole), slices.Clone(whole)
	copy(bootloader[descriptorAt:], []byte{bootloaderMagic, 0, 0, 0})
	copy(bare[descriptorAt:], "nothing")
	factory := append(imagetest.Pad(whole), bytes.Repeat([]byte{0xFF}, partitionsAt)...)[:partitionsAt]
	factory = append(factory, "\xaa\x50\x01\x02"+strings.Repeat("\x00", 28)...)
	esp32 := append(bytes.Repeat([]byte{0xFF}, partitionsAt), factory[partitionsAt:]...)
	esp8266 := []byte{0xE9, 1, 0, 0x40, 0, 0, 0x10, 0x40, 0, 0, 0x10, 0x40, 8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}
	esp8266 = append(esp8266, 0, 0, 0, 0, 0, 0, 0, 0xEF^1^2^3^4^5^6^7^8)
	odd := slices.Clone(whole)
	odd[28]++
	for name, test := range map[string]struct {
		file string
		want []string
	}{
		"nothing": {"", []string{"empty"}}, "ELF": {"\x7fELF", []string{"elf"}}, "text": {"<html>", []string{"bad_magic"}},
		"partitions": {"\xaa\x50", []string{"partition_table"}}, "ZIP": {"PK\x03\x04", []string{"compressed"}},
		"gzip": {"\x1f\x8b\x08", []string{"compressed"}}, "UF2": {"UF2\nxxxx", []string{"uf2"}},
		"hex": {":10000000", []string{"hex"}}, "patch": {"\x10\xde\xcd\xfcxxx", []string{"patch"}},
		"second generation of ESP8266": {"\xea\x04", []string{"esp8266"}},
		"ESP8266":                      {string(esp8266), []string{"esp8266"}},
		"factory image":                {string(factory), []string{"factory_image"}},
		"factory image of ESP32":       {string(esp32), []string{"factory_image"}},
		"empty flash":                  {strings.Repeat("\xff", sector), []string{"blank"}},
		"no segments":                  {"\xe9" + strings.Repeat("\x00", 40), []string{"bad_segments"}},
		"odd segment":                  {string(odd), []string{"bad_segments"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expectCodes(t, read(t, []byte(test.file)), test.want...)
		})
	}
	for want, b := range map[string][]byte{"bootloader": bootloader, "no_descriptor": bare} {
		if got := codes(read(t, b)); !slices.Contains(got, want) {
			t.Errorf("%v, want %s", got, want)
		}
	}
}

// A file may end anywhere, also where a partition table would begin.
func TestFilesThatEndWithinAPartitionTableAreRead(t *testing.T) {
	t.Parallel()
	flash := append(imagetest.Pad(imagetest.Build(app())), bytes.Repeat([]byte{0xFF}, partitionsAt)...)[:partitionsAt]
	flash = append(flash, "\xaa\x50\x01\x02"+strings.Repeat("\x00", 28)...)
	for n := partitionsAt; n < len(flash); n++ {
		if got := codes(read(t, flash[:n])); slices.Contains(got, "factory_image") {
			t.Errorf("%d bytes: %v", n, got)
		}
	}
}

func TestDataAfterTheImageIsFound(t *testing.T) {
	t.Parallel()
	whole := imagetest.Build(app())
	expectCodes(t, read(t, append(slices.Clone(whole), 0xFF, 0xFF, 0xFF)))
	expectCodes(t, read(t, append(slices.Clone(whole), 0xFF, 0, 0xFF)), "trailing_data")
	expectCodes(t, read(t, append(slices.Clone(whole), make([]byte, v1Size)...)), "secure_boot_v1")
}

func keys(t testing.TB) (all []crypto.Signer) {
	t.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, rsaKey)
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, key)
	}
	return all
}

func TestSignaturesOfSecureBootAreVerified(t *testing.T) {
	t.Parallel()
	a := app()
	a.ChipID = 0x0d // verifies RSA and ECDSA
	all := keys(t)
	b, err := imagetest.Sign(imagetest.Build(a), all...)
	if err != nil {
		t.Fatal(err)
	}
	i := read(t, b)
	expectCodes(t, i)
	if len(i.Signatures) != 3 {
		t.Fatalf("%+v", i.Signatures)
	}
	at := len(b) - sector
	for n, s := range i.Signatures {
		if !s.Valid || s.Scheme != []string{"RSA-3072", "ECDSA P-256", "ECDSA P-384"}[n] || len(s.KeyDigest) != 64 {
			t.Errorf("%+v", s)
		}
		block := at + n*blockSize
		for what, change := range map[string]struct {
			at   int
			want string
		}{"block": {block + 300, "bad_signature_block"}, "checksum": {block + 1197, "bad_signature_block"}} {
			broken := slices.Clone(b)
			broken[change.at] ^= 1
			if got := codes(read(t, broken)); !slices.Contains(got, change.want) {
				t.Errorf("%s of %d changed: %v", what, n, got)
			}
		}
	}
	i.Expect(Expected{SecureVersion: 1, Keys: []string{i.Signatures[1].KeyDigest[:32]}})
	expectCodes(t, i)
	i.Expect(Expected{SecureVersion: 1, Keys: []string{strings.Repeat("00", 32)}})
	expectCodes(t, i, "foreign_key")
	padding := slices.Clone(b)
	padding[at-1] = 0
	if i := read(t, padding); len(i.Signatures) != 3 || i.Signatures[0].Valid ||
		!slices.Equal(codes(i), []string{"bad_signature", "bad_signature", "bad_signature", "trailing_data"}) {
		t.Errorf("changed after it was signed: %+v", i)
	}
	i = read(t, imagetest.Build(a))
	i.Expect(Expected{SecureVersion: 1, Keys: []string{strings.Repeat("00", 32)}})
	expectCodes(t, i, "not_signed")
}

// resummed corrects the checksum of the first signature block, as a forger would.
func resummed(b []byte) []byte {
	block := b[len(b)-sector:]
	binary.LittleEndian.PutUint32(block[blockSummed:], crc32.ChecksumIEEE(block[:blockSummed]))
	return b
}

func TestASignatureByAnotherKeyIsFound(t *testing.T) {
	t.Parallel()
	a := app()
	a.ChipID = 0x0d
	for n, key := range keys(t) {
		b, err := imagetest.Sign(imagetest.Build(a), key)
		if err != nil {
			t.Fatal(err)
		}
		sig := []int{812, 101, 149}[n]
		b[len(b)-sector+sig+3] ^= 1
		i := read(t, resummed(b))
		if !slices.Equal(codes(i), []string{"bad_signature"}) || i.Signatures[0].Valid {
			t.Errorf("%+v", i)
		}
	}
}

func TestASchemeThatTheChipHasNotIsNoticed(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := imagetest.Sign(imagetest.Build(app()), key)
	if err != nil {
		t.Fatal(err)
	}
	expectCodes(t, read(t, b), "foreign_scheme")
}

func TestAnImageIsComparedWithWhatIsExpected(t *testing.T) {
	t.Parallel()
	b := imagetest.Build(app())
	for want, e := range map[string]Expected{
		"wrong_chip": {Chip: "esp32s3", SecureVersion: 1}, "wrong_project": {Product: "cellar", SecureVersion: 1},
		"low_secure_version": {SecureVersion: 2}, "high_secure_version": {},
		"too_large": {SlotSize: int64(len(b)) - 1, SecureVersion: 1},
	} {
		i := read(t, b)
		i.Expect(e)
		expectCodes(t, i, want)
		if i.Refused() != (want != "high_secure_version") {
			t.Errorf("%s: refused %v", want, i.Refused())
		}
	}
	i := read(t, b)
	i.Expect(Expected{Product: "greenhouse", Chip: "esp32c3", SecureVersion: 1, SlotSize: int64(len(b))})
	expectCodes(t, i)
}

func TestRawImagesAreAsDeclared(t *testing.T) {
	t.Parallel()
	d := Declared{Chip: "nrf52840", Magic: []byte("OK"), MagicAt: 4}
	for file, want := range map[string][]string{
		"\x00\x01\x02\x03OKxx": nil, "\x00\x01\x02\x03": {"bad_magic"}, "": {"empty", "bad_magic"},
		"\x7fELFOK": {"elf"}, ":001OK": {"hex"}, "<htmOK": {"text"},
	} {
		i, err := ReadRaw(strings.NewReader(file), int64(len(file)), d)
		if err != nil {
			t.Fatal(err)
		}
		expectCodes(t, i, want...)
		if i.Chip != "nrf52840" || i.Format != "raw" || i.Size != int64(len(file)) {
			t.Errorf("%+v", i)
		}
	}
	b := imagetest.Build(app())
	i, err := ReadRaw(bytes.NewReader(b), int64(len(b)), Declared{})
	if err != nil {
		t.Fatal(err)
	}
	expectCodes(t, i, "esp")
}

func TestAnELFFileIsRead(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	i, err := ReadELF(f, info.Size())
	if err != nil || i.Refused() || len(i.ELFSHA256) != 64 {
		t.Errorf("%+v, %v", i, err)
	}
	if i, err = ReadELF(strings.NewReader("\x7fELF"), 4); err != nil || !slices.Equal(codes(i), []string{"no_elf"}) {
		t.Errorf("%+v, %v", i, err)
	}
}

// The example of RFC 6979, A.2.3: P-192, SHA-256, "sample".
func TestSignaturesOnP192AreVerified(t *testing.T) {
	t.Parallel()
	x := hexNumber("ac2c77f529f91689fea0ea5efec7f210d8eea0b9e047ed56")
	y := hexNumber("3bc723e57670bd4887ebc732c523063d0a7c957bc97c1c43")
	r := hexNumber("4b0b8ce98a92866a2820e20aa6b75b56382e0f9bfd5ecb55")
	s := hexNumber("ccdb006926ea9565cbadc840829d8c384e06de1f1e381b85")
	digest := hexNumber("af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf").Bytes()
	if !p192Verify(x, y, digest, r, s) {
		t.Error("it does not verify")
	}
	digest[0] ^= 1
	if p192Verify(x, y, digest, r, s) || p192Verify(y, x, digest, r, s) || p192Verify(x, y, digest, p192N, s) {
		t.Error("a wrong one verifies")
	}
}

// Whatever is uploaded, it is described without an error, and within what the file has.
func FuzzRead(f *testing.F) {
	whole := imagetest.Build(app())
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	small := app()
	small.Code = imagetest.Code(64, 1)
	signed, err := imagetest.Sign(imagetest.Build(small), key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(imagetest.Build(small))
	f.Add(whole)
	f.Add(signed)
	f.Fuzz(func(t *testing.T, b []byte) {
		i := read(t, b)
		if i.ImageSize > i.Size && !i.Refused() {
			t.Fatalf("%+v", i)
		}
		if _, err := ReadRaw(bytes.NewReader(b), int64(len(b)), Declared{}); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadELF(bytes.NewReader(b), int64(len(b))); err != nil {
			t.Fatal(err)
		}
		_ = fmt.Sprint(i)
	})
}
