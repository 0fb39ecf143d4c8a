package picture

import (
	"bytes"
	"context"
	"image"

	"github.com/unhidra/unhidra/internal/domain"
)

// MaxEmojiBytes is how long a file may be of which Emoji makes a picture.
const MaxEmojiBytes = 256 << 10

// Emoji returns a picture of at most side by side pixels of a PNG, JPEG, GIF or WebP, as Fit does. What is transparent
// stays so. It fails as Square does.
func (m *Maker) Emoji(ctx context.Context, data []byte, side int) (Small, error) {
	if len(data) > MaxEmojiBytes {
		return Small{}, domain.Invalid.Errorf(domain.CodePictureTooLarge,
			"this picture has %d kB, and one of an emoji has at most %d; make it smaller, 128 by 128 pixels are plenty",
			(len(data)+1023)>>10, MaxEmojiBytes>>10)
	}
	if err := check(data, forAvatars); domain.CodeOf(err) == domain.CodeBadPicture {
		return Small{}, noEmoji(err)
	} else if err != nil {
		return Small{}, err
	}
	if err := m.take(ctx); err != nil {
		return Small{}, err
	}
	defer func() { <-m.slot }()
	src, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return Small{}, noEmoji(err)
	}
	return encode(upright(fit(src, side), data))
}

// upright turns m, which was made of data, as a photo's orientation says.
func upright(m *image.RGBA, data []byte) *image.RGBA {
	if turn := orientationOf(data); turn > 1 && bytes.HasPrefix(data, []byte{0xff, 0xd8}) {
		return turned(m, turn)
	}
	return m
}

func noEmoji(err error) error {
	return domain.Invalid.Errorf(domain.CodeBadPicture,
		"this is not a picture that can be read; send a PNG, JPEG, GIF or WebP of at most %d kB", MaxEmojiBytes>>10).Because(err)
}
