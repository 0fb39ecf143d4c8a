//go:build !unix

package mqtt

func (c *conn) fill() error { return c.fillBlocking() }

const canPoll = false

func readSocket(uintptr, []byte) (n int, again bool, err error) { return 0, true, nil }

func (c *conn) readNow(uintptr) bool { return true }

func (c *conn) hungUp() bool { return false }

func (c *conn) writeOnce([]byte) (int, error) { return 0, nil }
