// Package domain holds the words that the whole server shares: users, rooms,
// messages, events, who may do what, and how things fail. It knows no SQL, no
// HTTP and no wire format, and imports only the standard library.
package domain
