package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/espimage"
	"github.com/unhidra/unhidra/internal/manifest"
)

const manifestText = `firmware manifest [flags] <image>...

Describes a release of these images, in a manifest to be signed. Of images of ESP-IDF
it reads version, chip and revisions; of others name the chip, and what else differs:

  unhidra firmware manifest --product greenhouse --version-code 20400 \
      --out release.json build/greenhouse.bin
  unhidra firmware manifest --product valve --version 7 --version-code 7 \
      --out release.json valve.bin,chip=nrf52840,revision=100-199
`

type manifestFlags struct {
	product, version, out, notAfter string
	code, min, downgrade            uint
}

func (f *manifestFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&f.product, "product", "", "`name` of the product; of images of ESP-IDF their project name")
	fs.StringVar(&f.version, "version", "", "version, for people; by default as the images have it")
	fs.UintVar(&f.code, "version-code", 0, "`number` of the version, higher than that of every release before")
	fs.UintVar(&f.min, "min-version-code", 0, "devices with a lower `number` need another release first")
	fs.UintVar(&f.downgrade, "allow-downgrade-to", 0,
		"lowest `number` to which devices may go back from this release; 0: they may not")
	fs.StringVar(&f.notAfter, "not-after", "", "`time` after which devices refuse it (2027-01-31, or RFC 3339)")
	fs.StringVar(&f.out, "out", "release.json", "`file` to write")
}

func firmwareManifest(_ context.Context, e *env, args []string) error {
	var f manifestFlags
	fs := e.flags("firmware manifest", manifestText)
	f.register(fs)
	words, err := interspersed(fs, args)
	if err != nil {
		return err
	}
	m, err := f.manifest(e, words)
	if err != nil {
		return err
	}
	envelope, err := m.Seal()
	if err != nil {
		return err
	}
	data, err := envelope.Bytes()
	if err != nil {
		return err
	}
	if err := writeNew(f.out, data, 0o644); err != nil {
		return err
	}
	describeManifest(e.stdout, m)
	fmt.Fprintf(e.stdout, "Sign it: unhidra firmware sign --key FILE %s\n", f.out)
	return nil
}

// manifest makes the manifest that the flags describe.
func (f *manifestFlags) manifest(e *env, images []string) (*manifest.Manifest, error) {
	switch {
	case len(images) == 0:
		return nil, usagef("<image> is missing; the command is `unhidra firmware manifest <image>...`")
	case f.product == "":
		return nil, usagef("--product is missing")
	case f.code == 0 || f.code > math.MaxUint32 || f.min > math.MaxUint32 || f.downgrade > math.MaxUint32:
		return nil, usagef("--version-code must be from 1 to %d, and the other codes no more", uint32(math.MaxUint32))
	}
	end, err := when(f.notAfter)
	if err != nil {
		return nil, usagef("--not-after: %q is not a time like 2027-01-31 or 2027-01-31T12:00:00Z", f.notAfter)
	}
	m := &manifest.Manifest{Type: "manifest", Product: f.product, Version: f.version, VersionCode: uint32(f.code),
		Created: time.Now().UTC().Truncate(time.Second), NotAfter: end.UTC(), MinVersion: uint32(f.min),
		AllowDowngradeTo: uint32(f.downgrade)}
	for _, argument := range images {
		image, version, err := f.image(e, argument)
		if err != nil {
			return nil, err
		}
		switch {
		case m.Version == "":
			m.Version = version
		case f.version == "" && version != "" && version != m.Version:
			return nil, fmt.Errorf("%s has the version %q, and the images before it %q: build them anew, or use --version",
				argument, version, m.Version)
		}
		m.Images = append(m.Images, image)
	}
	if m.Version == "" {
		return nil, usagef("--version is missing: the images do not have it")
	}
	return m, nil
}

// image describes one image: FILE, or FILE,chip=NAME,revision=MIN-MAX.
func (f *manifestFlags) image(e *env, argument string) (image manifest.Image, version string, err error) {
	parts := strings.Split(argument, ",")
	chip, revisions := "", ""
	for _, part := range parts[1:] {
		switch key, value, _ := strings.Cut(part, "="); key {
		case "chip":
			chip = value
		case "revision":
			revisions = value
		default:
			return image, "", usagef("%q: after the file, write chip=NAME or revision=MIN-MAX", argument)
		}
	}
	i, err := inspect(parts[0], espimage.Declared{Chip: chip})
	if err != nil {
		return image, "", err
	}
	if i.Expect(espimage.Expected{Product: f.product, SecureVersion: i.SecureVersion}); len(i.Findings) > 0 {
		printFindings(e.stderr, parts[0], i)
	}
	if i.Refused() {
		return image, "", fmt.Errorf("%s cannot be released", parts[0])
	}
	image = manifest.Image{Chip: i.Chip, Size: i.Size, SHA256: i.SHA256, ELFSHA256: i.ELFSHA256,
		SecureVersion: i.SecureVersion}
	lowest, highest := i.RevisionMin, i.RevisionMax
	if revisions != "" {
		if lowest, highest, err = revisionRange(revisions); err != nil {
			return image, "", usagef("%q: write revisions as 100-199, or one as 100", argument)
		}
	}
	if image.RevisionMin = lowest; highest != math.MaxUint16 {
		image.RevisionMax = &highest
	}
	return image, i.Version, nil
}

func revisionRange(s string) (lowest, highest uint16, err error) {
	from, to, isRange := strings.Cut(s, "-")
	a, err := strconv.ParseUint(from, 10, 16)
	b := a
	if err == nil && isRange {
		b, err = strconv.ParseUint(to, 10, 16)
	}
	return uint16(a), uint16(b), err
}

// inspect reads an image of ESP-IDF, or, if another chip is declared, of another device.
func inspect(name string, d espimage.Declared) (*espimage.Image, error) {
	f, size, err := openFile(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if isRaw(d.Chip) {
		return espimage.ReadRaw(f, size, d)
	}
	i, err := espimage.Read(f, size)
	if err == nil && d.Chip != "" {
		i.Expect(espimage.Expected{Chip: d.Chip, SecureVersion: i.SecureVersion})
	}
	return i, err
}

// isRaw reports whether images for a chip are not those of ESP-IDF.
func isRaw(chip string) bool {
	known := func(c espimage.Chip) bool { return c.Name == chip }
	return chip != "" && !slices.ContainsFunc(espimage.Chips(), known)
}

// printFindings says what is wrong with an image.
func printFindings(w io.Writer, name string, i *espimage.Image) {
	for _, f := range i.Findings {
		level := map[domain.FindingLevel]string{domain.ErrorFinding: "error: "}[f.Level]
		fmt.Fprintf(w, "%s: %s%s. %s\n", name, level, f.Text, f.Fix)
	}
}

// compareImages compares files with the images of a manifest.
func compareImages(w io.Writer, m *manifest.Manifest, files []string) error {
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return err
		}
		sum := hex.EncodeToString(h.Sum(nil))
		if !slices.ContainsFunc(m.Images, func(i manifest.Image) bool { return i.SHA256 == sum }) {
			return fmt.Errorf("%s is none of the images of the manifest: its SHA-256 is %s", name, sum)
		}
		fmt.Fprintf(w, "%s is one of the images.\n", name)
	}
	return nil
}
