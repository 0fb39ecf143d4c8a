package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// FirmwareUpload is a file of firmware that the server has in part, or whole.
type FirmwareUpload struct {
	ID       string     `json:"id"`
	Product  string     `json:"product"`
	Kind     string     `json:"kind"` // image, raw, elf or factory
	Size     int64      `json:"size"`
	Received int64      `json:"received"`
	SHA256   string     `json:"sha256"`
	Image    *ImageInfo `json:"image"` // of an image that is complete
	// ChangedAt is when its last part came. It is forgotten a day later, unless a release has it.
	ChangedAt time.Time `json:"changed_at"`
}

// ImageInfo is what an image says of itself, and what is wrong with it.
type ImageInfo struct {
	Format        string         `json:"format"`
	Chip          string         `json:"chip"`
	RevisionMin   int            `json:"revision_min"`
	RevisionMax   int            `json:"revision_max"`
	Project       string         `json:"project"`
	Version       string         `json:"version"`
	Built         string         `json:"built"`
	SDK           string         `json:"sdk"`
	SecureVersion uint32         `json:"secure_version"`
	ELF           string         `json:"elf_sha256"`
	SigningKeys   []string       `json:"signing_keys"`
	Findings      []ImageFinding `json:"findings"`
	MD5           string         `json:"md5"`
	SHA1          string         `json:"sha1"`
	FlashSize     int64          `json:"flash_size"` // of a factory image: bytes of flash that it needs
	Parts         []FlashPart    `json:"parts"`      // of a factory image: what is written, and where
}

// FlashPart is a part of a factory image: its bytes from Offset on are written to flash at Offset. Where the file ends
// before the part does, it goes on with 0xff.
type FlashPart struct {
	Name   string `json:"name"`
	Offset int64  `json:"offset"`
	Size   int64  `json:"size"`
	MD5    string `json:"md5"`
	App    bool   `json:"app"` // the application that is started first
}

// ImageFinding is something that is worth knowing of an image. An error has it refused.
type ImageFinding struct {
	Level string `json:"level"` // info, warning or error
	Code  string `json:"code"`
	Text  string `json:"text"`
	Fix   string `json:"fix"`
}

const (
	firmwarePart    = 1 << 20
	uploadTries     = 8 // of one part
	uploadFirstWait = 500 * time.Millisecond
)

// UploadFirmware uploads a file of size bytes for a product, and returns what the server found in it. kind is image,
// raw, elf or factory. An upload of the same file that broke off is gone on with. It waits and tries again while the
// server does not answer or has too much to do. progress, if it is not nil, is told how many bytes are there.
func (c *Client) UploadFirmware(
	ctx context.Context, product, kind string, file io.ReaderAt, size int64, progress func(sent int64),
) (u FirmwareUpload, err error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(file, 0, size)); err != nil {
		return u, err
	}
	if u, err = c.beginUpload(ctx, product, kind, size, hex.EncodeToString(h.Sum(nil))); err != nil {
		return u, err
	}
	part, at := make([]byte, firmwarePart), "/firmware/uploads/"+url.PathEscape(u.ID)
	for u.Received < size {
		if progress != nil {
			progress(u.Received)
		}
		b := part[:min(firmwarePart, size-u.Received)]
		if _, err := file.ReadAt(b, u.Received); err != nil && err != io.EOF {
			return u, err
		}
		if err := c.sendPart(ctx, at, b, &u); err != nil {
			return u, err
		}
	}
	if progress != nil {
		progress(size)
	}
	return u, c.Do(ctx, "POST", at+"/complete", nil, &u)
}

// beginUpload begins an upload, or finds one of the same file.
func (c *Client) beginUpload(
	ctx context.Context, product, kind string, size int64, hash string,
) (FirmwareUpload, error) {
	at := "/firmware/products/" + url.PathEscape(product) + "/uploads"
	var before Page[FirmwareUpload]
	if err := c.Do(ctx, "GET", at, nil, &before); err != nil {
		return FirmwareUpload{}, err
	}
	for _, u := range before.Items {
		if u.SHA256 == hash && u.Kind == kind && u.Size == size {
			return u, nil
		}
	}
	var u FirmwareUpload
	return u, c.Do(ctx, "POST", at, map[string]any{"kind": kind, "size": size, "sha256": hash}, &u)
}

// sendPart sends the next part of an upload, until the server has it or says that it never will.
func (c *Client) sendPart(ctx context.Context, at string, part []byte, u *FirmwareUpload) (err error) {
	wait := uploadFirstWait
	for range uploadTries {
		err = c.Do(ctx, "PUT", fmt.Sprint(at, "/parts/", u.Received), Bytes(part), u)
		var refused *Error
		if err == nil || ctx.Err() != nil || errors.As(err, &refused) && !refused.mayPass() {
			if refused != nil && refused.Code == CodeUploadOffset { // an answer was lost: it has more than that
				return c.Do(ctx, "GET", at, nil, u)
			}
			return err
		}
		if refused != nil && refused.RetryAfter > wait {
			wait = refused.RetryAfter
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait *= 2
	}
	return err
}

// mayPass reports whether the same request may succeed later.
func (e *Error) mayPass() bool {
	return e.Kind == string(domain.RateLimited) || e.Kind == string(domain.Unavailable) ||
		e.Kind == string(domain.Internal)
}
