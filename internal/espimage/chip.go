package espimage

import "fmt"

// A Chip is one of Espressif's, as images of ESP-IDF name them.
type Chip struct {
	ID    uint16 // in the header of an image
	Name  string // as ESP-IDF calls the target
	Title string
	rsa   bool  // Secure Boot v2 by RSA-3072
	ecdsa bool  // by ECDSA
	boot  int64 // where in flash its bootloader begins
}

var chips = []Chip{
	{0x0000, "esp32", "ESP32", true, false, 0x1000},
	{0x0002, "esp32s2", "ESP32-S2", true, false, 0x1000},
	{0x0005, "esp32c3", "ESP32-C3", true, false, 0},
	{0x0009, "esp32s3", "ESP32-S3", true, false, 0},
	{0x000c, "esp32c2", "ESP32-C2", false, true, 0},
	{0x000d, "esp32c6", "ESP32-C6", true, true, 0},
	{0x0010, "esp32h2", "ESP32-H2", true, true, 0},
	{0x0012, "esp32p4", "ESP32-P4", true, true, 0x2000},
	{0x0014, "esp32c61", "ESP32-C61", false, true, 0},
	{0x0017, "esp32c5", "ESP32-C5", true, true, 0x2000},
	{0x0019, "esp32h21", "ESP32-H21", true, false, 0},
	{0x001c, "esp32h4", "ESP32-H4", false, true, 0x2000},
	{0x001f, "esp32e22", "ESP32-E22", true, true, 0},
	{0x0020, "esp32s31", "ESP32-S31", true, true, 0x2000},
}

// Chips lists all chips that are known.
func Chips() []Chip { return append([]Chip(nil), chips...) }

func chipByID(id uint16) (Chip, bool) {
	for _, c := range chips {
		if c.ID == id {
			return c, true
		}
	}
	return Chip{}, false
}

// chipTitle is how people write the name of a chip.
func chipTitle(name string) string {
	for _, c := range chips {
		if c.Name == name {
			return c.Title
		}
	}
	return name
}

// revisionText is how Espressif writes a revision.
func revisionText(revision uint16) string { return fmt.Sprintf("v%d.%d", revision/100, revision%100) }
