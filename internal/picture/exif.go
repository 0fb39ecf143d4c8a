package picture

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// Markers of JPEG (ITU-T T.81, B.1.1.3).
const (
	markSOI   = 0xd8
	markEOI   = 0xd9
	markRST0  = 0xd0 // of eight, within a scan
	markSOS   = 0xda
	markAPP0  = 0xe0 // that it is a JFIF, and small copies of the picture
	markAPP1  = 0xe1 // EXIF and XMP
	markAPP2  = 0xe2 // colour profiles, and where further pictures are in the file
	markAPP14 = 0xee // which colours it has
	markAPP15 = 0xef
	markCOM   = 0xfe // a comment
	markTEM   = 0x01 // alone, as RST
)

var errNoJPEG = errors.New("not a JPEG that can be read")

// CleanJPEG copies a JPEG without what cameras and programs write beside the picture: when, where and with what it was
// taken, who made it, comments, and smaller copies of it. The picture is not encoded again. Its orientation and its
// colour profile stay. What is between segments, where it does not belong and decoders skip it, goes, and what follows
// the end of the picture.
func CleanJPEG(w io.Writer, r io.Reader) error {
	in := bufio.NewReaderSize(r, 64<<10)
	out := bufio.NewWriterSize(w, 64<<10)
	var head [2]byte
	if _, err := io.ReadFull(in, head[:]); err != nil || head != [2]byte{0xff, markSOI} {
		return errNoJPEG
	}
	_, _ = out.Write(head[:]) // an error comes again with Flush
	for begun := false; ; {
		marker, segment, err := nextSegment(in, begun)
		if err != nil {
			return err
		}
		begun = false
		switch {
		case marker == markAPP1 && bytes.HasPrefix(segment, []byte("Exif\x00\x00")):
			if o := tiffOrientation(segment[6:]); o > 1 {
				writeSegment(out, markAPP1, orientationExif(o))
			}
		case marker == markAPP0 && bytes.HasPrefix(segment, []byte("JFIF\x00")):
			writeSegment(out, marker, plainJFIF(segment))
		case ofPicture(marker, segment):
			writeSegment(out, marker, segment)
		}
		if marker != markSOS {
			continue
		}
		if begun, err = copyScan(out, in); err != nil || !begun {
			return errors.Join(err, out.Flush())
		}
	}
}

// ofPicture reports whether a segment is needed to show the picture as it is.
func ofPicture(marker byte, segment []byte) bool {
	switch marker {
	case markAPP2:
		return bytes.HasPrefix(segment, []byte("ICC_PROFILE\x00"))
	case markAPP14:
		return bytes.HasPrefix(segment, []byte("Adobe"))
	}
	return marker != markCOM && (marker < markAPP0 || marker > markAPP15)
}

// nextSegment reads a segment with its marker, whose first byte was read already if it has begun. As decoders do, it
// skips what is no segment.
func nextSegment(in *bufio.Reader, begun bool) (marker byte, segment []byte, err error) {
	b, err := nextMarker(in, begun)
	var length [2]byte
	if err == nil {
		_, err = io.ReadFull(in, length[:])
	}
	n := int(binary.BigEndian.Uint16(length[:]))
	if err != nil || n < 2 || b == markEOI || b == markSOI {
		return 0, nil, errors.Join(errNoJPEG, err)
	}
	segment = make([]byte, n-2)
	_, err = io.ReadFull(in, segment)
	return b, segment, err
}

// nextMarker reads up to the marker of a segment.
func nextMarker(in *bufio.Reader, begun bool) (b byte, err error) {
	for err == nil {
		b, err = in.ReadByte()
		alone := b == 0 || b == markTEM || b >= markRST0 && b <= markRST0+7
		if begun && !alone && b != 0xff {
			return b, err
		}
		begun = b == 0xff // of several, all but the last are fill bytes
	}
	return 0, err
}

// plainJFIF returns a JFIF segment without the small picture that may be in it (ISO/IEC 10918-5, 10.1).
func plainJFIF(segment []byte) []byte {
	const end = 14
	if len(segment) <= end {
		return segment
	}
	return append(segment[:end-2:end-2], 0, 0)
}

func writeSegment(out *bufio.Writer, marker byte, segment []byte) {
	head := binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(segment)+2)) //nolint:gosec // as it was read
	_, _ = out.Write(head)                                                              // an error comes again with Flush
	_, _ = out.Write(segment)
}

// copyScan copies the pixels of a scan, where a byte 0xff is followed by 0 or belongs to a marker. more is false if the
// picture ends with it, or the file; else the next segment follows.
func copyScan(out *bufio.Writer, in *bufio.Reader) (more bool, err error) {
	for {
		b, err := in.ReadByte()
		if err != nil {
			return false, atEnd(err)
		}
		if b != 0xff {
			_ = out.WriteByte(b) // an error comes again with Flush
			continue
		}
		next, err := in.Peek(1)
		if err != nil {
			return false, errors.Join(out.WriteByte(b), atEnd(err))
		}
		switch {
		case next[0] == markEOI:
			_, err = out.Write([]byte{0xff, markEOI})
			return false, err
		case next[0] == 0xff: // fill bytes
		case next[0] == 0 || next[0] >= markRST0 && next[0] <= markRST0+7:
			_, _ = out.Write([]byte{0xff, next[0]})
			_, _ = in.Discard(1) // it was there
		default:
			return true, nil // its 0xff was read
		}
	}
}

// atEnd is no error where a file may end.
func atEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// orientationExif is an EXIF segment that says nothing but the orientation.
func orientationExif(o int) []byte {
	b := []byte("Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00")
	return append(b, byte(o), 0, 0, 0, 0, 0, 0) //nolint:gosec // 1 to 8
}

// orientationOf returns the orientation of a JPEG by its EXIF, 1 to 8; 1 if it says none.
func orientationOf(data []byte) int {
	in := bufio.NewReader(bytes.NewReader(data))
	if _, err := in.Discard(2); err != nil {
		return 1
	}
	for {
		marker, segment, err := nextSegment(in, false)
		if err != nil || marker == markSOS {
			return 1
		}
		if marker == markAPP1 && bytes.HasPrefix(segment, []byte("Exif\x00\x00")) {
			return tiffOrientation(segment[6:])
		}
	}
}

const orientationTag = 0x0112

// tiffOrientation reads the orientation in the first directory of a TIFF (TIFF 6.0, section 2).
func tiffOrientation(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.BigEndian
	if string(b[:2]) == "II" {
		order = binary.LittleEndian
	}
	at := int64(order.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return 1
	}
	entries := b[at+2:]
	for range order.Uint16(b[at:]) {
		if len(entries) < 12 {
			break
		}
		if o := int(order.Uint16(entries[8:])); order.Uint16(entries) == orientationTag && o >= 1 && o <= 8 {
			return o
		}
		entries = entries[12:]
	}
	return 1
}
