package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/unhidra/unhidra/internal/delta"
	"github.com/unhidra/unhidra/internal/espimage"
)

const patchText = `firmware patch <base> <image> <new patch>

Makes the patch that makes an image out of another one, the base, and says what it
saves. Devices apply it with esp_delta_ota of ESP-IDF, or as docs/firmware-signing.md
describes. A patch is not signed: whoever applies it compares the SHA-256 of the image
with that of a signed manifest.
`

func firmwarePatch(ctx context.Context, e *env, args []string) error {
	words, err := parse(e.flags("firmware patch", patchText), args, "<base>", "<image>", "<new patch>")
	if err != nil {
		return err
	}
	base, id, err := readImage(words[0])
	if err != nil {
		return err
	}
	target, _, err := readImage(words[1])
	if err != nil {
		return err
	}
	patch, err := delta.Create(ctx, base, target, id)
	if err != nil {
		return err
	}
	if err := writeNew(words[2], patch, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s has %d bytes, and the image %d: %.1f %%.\n", words[2], len(patch), len(target),
		100*float64(len(patch))/float64(len(target)))
	return nil
}

// readImage reads an image that patches can be made of, and what names it in them.
func readImage(name string) (image []byte, id [sha256.Size]byte, err error) {
	f, size, err := openFile(name)
	if err != nil {
		return nil, id, err
	}
	defer f.Close()
	if size < 1 || size > delta.MaxImage {
		return nil, id, fmt.Errorf("%s has %d bytes; patches are made of 1 to %d", name, size, delta.MaxImage)
	}
	image = make([]byte, size)
	if _, err := io.ReadFull(f, image); err != nil {
		return nil, id, err
	}
	read, err := espimage.Read(f, size)
	if err != nil {
		return nil, id, err
	}
	if read.Refused() || read.Validation == "" {
		return image, sha256.Sum256(image), nil
	}
	_, err = hex.Decode(id[:], []byte(read.Validation))
	return image, id, err
}
