//go:build ignore

// Mkcommon writes common.bin from lists of passwords, one per line:
//
//	go run mkcommon.go django.txt zxcvbn.txt
//
// django.txt is django/contrib/auth/common-passwords.txt.gz of the Python
// package django 5.2.19, unpacked; zxcvbn.txt is "passwords" of
// zxcvbn/frequency_lists.py of the Python package zxcvbn 4.5.0.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"log"
	"os"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// own are long passwords that are missing in the lists.
var own = []string{
	"123456789012345", "1234567890123456", "12345678901234567890", "qwertyuiopasdfgh", "qwertyuiop123456",
	"passwordpassword",
	"password12345678", "password123456789", "administrator123", "letmeinletmein12", "iloveyouiloveyou",
	"abcdefghijklmnop",
	"abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjkl", "qwertyuiopasdfghjklzxcvbnm", "1qaz2wsx3edc4rfv5tgb",
	"thisismypassword", "this is my password",
	"correcthorsebatterystaple", "correct horse battery staple", "correct-horse-battery-staple", "unhidraunhidra123",
	"changemechangeme", "passwordpassword1",
}

func main() {
	var digests [][]byte
	add := func(password string) {
		password = norm.NFC.String(cases.Fold().String(password))
		if utf8.RuneCountInString(password) >= 8 {
			sum := sha256.Sum256([]byte(password))
			digests = append(digests, sum[:5])
		}
	}
	for _, password := range own {
		add(password)
	}
	for _, name := range os.Args[1:] {
		f, err := os.Open(name)
		if err != nil {
			log.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			add(lines.Text())
		}
		if err := lines.Err(); err != nil {
			log.Fatal(err)
		}
	}
	slices.SortFunc(digests, bytes.Compare)
	digests = slices.CompactFunc(digests, bytes.Equal)
	if err := os.WriteFile("common.bin", bytes.Join(digests, nil), 0o644); err != nil {
		log.Fatal(err)
	}
	log.Print(len(digests), " passwords")
}
