package board

import "testing"

// The CRCs of otadata are those that esptool and ESP-IDF write.
func TestEntriesOfOtadataHaveTheCRCOfESPIDF(t *testing.T) {
	t.Parallel()
	for seq, want := range map[uint32]uint32{1: 0x4743989a, 2: 0x55f63774, 3: 0xed4a5011} {
		if got := sequenceCRC(seq); got != want {
			t.Errorf("that of sequence %d is %#x, want %#x", seq, got, want)
		}
	}
}
