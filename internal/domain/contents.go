package domain

// StoreContents are what a database has, to compare a backup of it with.
type StoreContents struct {
	Users   int64            `json:"users"`
	Devices int64            `json:"devices"`
	Events  int64            `json:"events"`
	Heads   map[string]int64 `json:"heads"` // of each room: the last number of its log
}
