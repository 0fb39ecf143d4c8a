package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/unhidra/unhidra/client"
)

const uploadText = `firmware upload [flags] <product> [image]...

Uploads images, says what they are and what is wrong with them, and makes them a draft of
a release, or adds them to one. What broke off goes on when the command is repeated. Then:
unhidra firmware release --save.

--factory adds what people write to new boards by a cable, from their browser: a file of
"esptool merge-bin" with bootloader, partition table and an image of the release. It may
come later than the images, and by itself.
`

type uploadFlags struct {
	version, notes, raw string
	code, minCode       uint
	elf, factory        *[]string
}

func firmwareUpload(ctx context.Context, e *env, args []string) error {
	o, f := e.remote("upload", uploadText), uploadFlags{}
	o.fs.StringVar(&f.version, "version", "", "`version` of the release; default: that of the first image")
	o.fs.UintVar(&f.code, "code", 0, "version_code of a new release: a `number` above those of all before")
	o.fs.UintVar(&f.minCode, "min-code", 0, "version_code that devices must have; 0: any")
	o.fs.StringVar(&f.notes, "notes", "", "what is new")
	o.fs.StringVar(&f.raw, "raw", "", "take the image for this `chip`, without reading it")
	f.elf = list(o.fs, "elf", "ELF `file` that an image was made from, to explain crashes")
	f.factory = list(o.fs, "factory", "`file` for new boards: bootloader, partition table and an image of the release")
	words, err := interspersed(o.fs, args)
	if err != nil {
		return err
	}
	if len(words) < 1 || len(words) < 2 && len(*f.factory) == 0 {
		return usagef("name a product, and one image or more")
	}
	if f.raw != "" && (f.version == "" || len(words) > 2) {
		return usagef("with --raw, give --version and one image")
	}
	return o.run(ctx, func(ctx context.Context) error {
		p, err := o.product(ctx, words[0])
		if err != nil {
			return err
		}
		var images []client.FirmwareUpload
		for _, name := range words[1:] {
			u, err := o.upload(ctx, p.ID, f.kind(), name)
			if err != nil {
				return err
			}
			images = append(images, u)
		}
		var factories []client.FirmwareUpload
		for _, name := range *f.factory {
			u, err := o.upload(ctx, p.ID, "factory", name)
			if err != nil {
				return err
			}
			factories = append(factories, u)
		}
		r, err := o.draft(ctx, p.ID, f, images, factories)
		if err == nil {
			err = o.addFactories(ctx, r, factories)
		}
		if err != nil {
			return err
		}
		for _, name := range *f.elf {
			if _, err := o.upload(ctx, p.ID, "elf", name); err != nil {
				return err
			}
		}
		err = o.c.Do(ctx, "GET", "/firmware/releases/"+r.ID, nil, &r)
		if err == nil {
			o.show(r)
		}
		return err
	})
}

func (f uploadFlags) kind() string {
	if f.raw != "" {
		return "raw"
	}
	return "image"
}

// upload uploads a file, and prints what it is. It is an error if it cannot be used.
func (o *remote) upload(ctx context.Context, product, kind, name string) (u client.FirmwareUpload, err error) {
	file, size, err := openFile(name)
	if err != nil {
		return u, err
	}
	defer file.Close()
	progress := func(sent int64) {
		if terminal(o.stderr) {
			fmt.Fprintf(o.stderr, "\r%s: %d %%", name, sent*100/max(size, 1))
		}
	}
	u, err = o.c.UploadFirmware(ctx, product, kind, file, size, progress)
	if terminal(o.stderr) {
		fmt.Fprintln(o.stderr)
	}
	if err != nil {
		return u, fmt.Errorf("%s: %w", name, err)
	}
	if i := u.Image; i != nil && i.Format == "factory" && i.Chip != "" {
		fmt.Fprintf(o.stdout, "%s: %s %s for new boards with %s\n", name, plain(i.Project), plain(i.Version), i.Chip)
	}
	if i := u.Image; i != nil && i.Format == "esp" {
		fmt.Fprintf(o.stdout, "%s: %s %s for %s, revisions %s, secure version %d, %s of Secure Boot\n", name,
			plain(i.Project), plain(i.Version), i.Chip, revisions(uint16(i.RevisionMin), uint16(i.RevisionMax)), i.SecureVersion,
			count(len(i.SigningKeys), "signature"))
	}
	if u.Image == nil {
		return u, nil
	}
	refused := false
	for _, f := range u.Image.Findings {
		fmt.Fprintf(o.stderr, "%s: %s: %s. %s\n", name, f.Level, plain(f.Text), plain(f.Fix))
		refused = refused || f.Level == "error"
	}
	if refused {
		return u, fmt.Errorf("%s cannot be used", name)
	}
	return u, nil
}

// fit returns an error if the release r, which is there already, has other numbers than the flags say.
func (f uploadFlags) fit(r onlineRelease) error {
	switch {
	case r.ID == "":
		return nil
	case f.code != 0 && f.code != uint(r.Code):
		return usagef("release %s has version_code %d, and not %d: leave --code out, delete that draft, or choose "+
			"another --version", f.version, r.Code, f.code)
	case f.minCode != 0 && f.minCode != uint(r.MinCode):
		return usagef("devices need version_code %d for release %s, and not %d: leave --min-code out, or delete that draft",
			r.MinCode, f.version, f.minCode)
	}
	return nil
}

// addFactories puts factory images beside the images of a release for the same chips. The server compares their bytes.
func (o *remote) addFactories(ctx context.Context, r onlineRelease, factories []client.FirmwareUpload) error {
	for _, u := range factories {
		var of []string
		for _, i := range r.Images {
			if u.Image != nil && i.Chip == u.Image.Chip && u.Image.RevisionMin <= int(i.RevisionMin) &&
				int(i.RevisionMax) <= u.Image.RevisionMax {
				of = append(of, i.SHA256)
			}
		}
		if len(of) != 1 {
			return fmt.Errorf("release %s has %s that a factory image for %s fits, and needs one: upload that first", r.Version,
				count(len(of), "image"), u.Image.Chip)
		}
		at := "/firmware/releases/" + r.ID + "/images/" + of[0] + "/factory"
		if err := o.c.Do(ctx, "PUT", at, map[string]string{"upload": u.ID}, nil); err != nil {
			return err
		}
	}
	return nil
}

// draft makes uploads the images of a draft, which is made if there is none of the version.
func (o *remote) draft(
	ctx context.Context, product string, f uploadFlags, images, factories []client.FirmwareUpload,
) (r onlineRelease, err error) {
	if u := append(slices.Clone(images), factories...)[0]; f.version == "" && u.Image != nil {
		f.version = u.Image.Version
	}
	all, err := o.releases(ctx, product)
	if err != nil {
		return r, err
	}
	for _, other := range all {
		if other.Version == f.version {
			r = other
		}
	}
	if err := f.fit(r); err != nil {
		return r, err
	}
	if r.ID == "" {
		if len(images) == 0 {
			return r, fmt.Errorf("there is no release %s yet: upload its image first, or with the factory image", f.version)
		}
		if f.code == 0 {
			return r, usagef("there is no release %s yet: give its version_code with --code", f.version)
		}
		err := o.c.Do(ctx, "POST", "/firmware/products/"+product+"/releases", map[string]any{
			"version": f.version, "version_code": f.code, "min_version_code": f.minCode, "notes": f.notes}, &r)
		if err != nil {
			return r, err
		}
	}
	for _, u := range images {
		image := map[string]any{"upload": u.ID}
		if f.raw != "" {
			image["chip"] = f.raw
		}
		if err := o.c.Do(ctx, "POST", "/firmware/releases/"+r.ID+"/images", image, &r); err != nil {
			return r, err
		}
	}
	return r, nil
}
