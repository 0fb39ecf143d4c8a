package domain

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of files that people post.
const (
	FilePart       = 8 << 20            // bytes of each part of an upload but the last
	MaxFileParts   = 10_000             // of an upload
	MaxFileName    = 255                // bytes
	MaxAttachments = 10                 // files of a message
	MaxOpenUploads = 100                // files of one person that no message has yet
	UnattachedLife = 24 * time.Hour     // of a file that no message has
	MaxFileLinks   = 100                // files that one request may ask links for
	MaxPictureSide = 1 << 16            // that a client may say of a video
	MaxMediaLength = 7 * 24 * time.Hour // the same of its duration
)

// FileState is how far a file has come.
type FileState string

// The states of a file. One that is gone was deleted before its message.
const (
	FileUploading FileState = "uploading"
	FileReady     FileState = "ready"
	FileGone      FileState = "gone"
)

// A File is something that somebody has uploaded, to post it in messages.
type File struct {
	ID            string
	Owner         string // who uploaded it
	Room          string // for which it was uploaded
	Name          string
	Size          int64
	Type          string // media type, by its content; empty until it is ready
	State         FileState
	Width, Height int           // of a picture or video; 0: unknown
	Duration      time.Duration // of audio and video; 0: unknown
	Thumb         FileThumb
	Created       time.Time
	Expires       time.Time   // if no message has it by then; zero: one has
	Parts         []FilePiece // that are here, in their order
}

// A FilePiece is a part of an upload.
type FilePiece struct {
	N    int
	Size int64
	Hash string // SHA-256, in hex
}

// FileThumb is the small picture of a file; without a hash there is none.
type FileThumb struct {
	Hash          string
	Width, Height int
}

// PartCount returns how many parts a file of size bytes has. An empty one has none.
func PartCount(size int64) int { return int((size + FilePart - 1) / FilePart) }

// PartLength returns how many bytes the part n of a file of size bytes has; 0: there is no such part.
func PartLength(size int64, n int) int64 {
	if n < 0 || n >= PartCount(size) {
		return 0
	}
	return min(FilePart, size-int64(n)*FilePart)
}

// CheckFileName returns the name of a file as it is kept: the last element of what may be a path, without
// control characters and marks that turn the direction of text, with which a program could look like a picture.
func CheckFileName(name string) (string, error) {
	if !utf8.ValidString(name) {
		return "", InvalidField("/name", "the name is not valid UTF-8")
	}
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '\ufeff' || unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return -1
		}
		return r
	}, name))
	if strings.Trim(name, ".") == "" {
		return "", InvalidField("/name", "a file needs a name, such as photo.jpg")
	}
	return ShortenName(name), nil
}

// ShortenName cuts the name of a file to MaxFileName bytes, before its extension.
func ShortenName(name string) string {
	if len(name) <= MaxFileName {
		return name
	}
	ext := ""
	if dot := strings.LastIndexByte(name, '.'); dot > 0 && len(name)-dot <= 16 {
		name, ext = name[:dot], name[dot:]
	}
	end := MaxFileName - len(ext)
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end] + ext
}

// FileKind is what clients do with a file.
type FileKind string

// The kinds of files.
const (
	ImageFile FileKind = "image"
	VideoFile FileKind = "video"
	AudioFile FileKind = "audio"
	OtherFile FileKind = "other"
)

// KindOfFile returns the kind of a file by its media type: what browsers show or play by themselves, and other.
func KindOfFile(mediaType string) FileKind {
	if !ShownInline(mediaType) {
		return OtherFile
	}
	kind, _, _ := strings.Cut(mediaType, "/")
	return FileKind(kind)
}

// ShownInline reports whether browsers may show files of a media type in a page. All others are downloaded,
// whatever could run in them.
func ShownInline(mediaType string) bool {
	switch mediaType {
	case "image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "video/mp4", "video/webm", "video/ogg",
		"audio/mpeg", "audio/wav", "audio/mp4", "audio/flac", "audio/ogg", "audio/webm":
		return true
	}
	return false
}

// RoomFile is a file of a message.
type RoomFile struct {
	Seq    int64 // of the message
	Sender UserRef
	At     time.Time
	File   File
}

// RoomFilesQuery asks for files of a room, the newest first.
type RoomFilesQuery struct {
	Words  string   // that begin words of the name; empty: all
	Kind   FileKind // empty: all
	Before int64    // number of a message; 0: the newest
	Limit  int
}

// FileUse is how much room the files of a person take.
type FileUse struct {
	Used  int64 // bytes, of open uploads as well
	Quota int64 // 0: no limit
}
