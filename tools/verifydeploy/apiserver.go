package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const startTime = 2 * time.Minute // the machine may have other work

// headless is what 1.34 warns of for every headless Service, since the field has a default.
const headless = "spec.SessionAffinity is ignored for headless services"

// An apiServer is a kube-apiserver with an etcd of its own, on free ports of the
// loopback and with their files in one folder. Nothing else of a cluster runs: objects
// are admitted and stored, and nobody acts on them.
type apiServer struct {
	dir, token string
	url        string
	client     *http.Client
	processes  []*exec.Cmd
}

// startAPIServer runs etcd and kube-apiserver from the folder programs.
func startAPIServer(ctx context.Context, programs, dir string) (_ *apiServer, err error) {
	s := &apiServer{dir: dir, token: rand.Text()}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	var ports [3]string
	for i := range ports {
		if ports[i], err = freeAddr(); err != nil {
			return nil, err
		}
	}
	if err := s.secrets(); err != nil {
		return nil, err
	}
	db, peer := "http://"+ports[0], "http://"+ports[1]
	if err := s.run(filepath.Join(programs, "etcd"), "--data-dir=etcd", "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls="+db, "--advertise-client-urls="+db, "--listen-peer-urls="+peer,
		"--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer); err != nil {
		return nil, err
	}
	host, port, _ := net.SplitHostPort(ports[2])
	if err := s.run(filepath.Join(programs, "kube-apiserver"), "--etcd-servers="+db,
		"--bind-address="+host, "--secure-port="+port, "--cert-dir=certs", "--token-auth-file=tokens.csv",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=accounts.key",
		"--service-account-signing-key-file=accounts.key", "--authorization-mode=RBAC",
		"--service-cluster-ip-range=10.96.0.0/16"); err != nil {
		return nil, err
	}
	s.url = "https://" + ports[2]
	return s, s.ready(ctx)
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// secrets writes the administrator's token and the key that signs service accounts' tokens.
func (s *apiServer) secrets() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	return errors.Join(
		os.WriteFile(filepath.Join(s.dir, "accounts.key"), pem.EncodeToMemory(block), 0o600),
		os.WriteFile(filepath.Join(s.dir, "tokens.csv"), []byte(s.token+",admin,admin,system:masters\n"), 0o600))
}

func (s *apiServer) run(program string, args ...string) error {
	log, err := os.Create(filepath.Join(s.dir, filepath.Base(program)+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.processes = append(s.processes, cmd)
	return nil
}

// stop ends both, the API server first.
func (s *apiServer) stop() {
	for i := len(s.processes) - 1; i >= 0; i-- {
		_ = s.processes[i].Process.Signal(syscall.SIGTERM)
		killed := time.AfterFunc(20*time.Second, func() { _ = s.processes[i].Process.Kill() })
		_ = s.processes[i].Wait()
		killed.Stop()
	}
}

// ready waits until the server answers by the certificate that it made for itself, and has
// made what it brings.
func (s *apiServer) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for last := error(nil); ; time.Sleep(200 * time.Millisecond) {
		cert, err := os.ReadFile(filepath.Join(s.dir, "certs", "apiserver.crt"))
		if err == nil {
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(cert) // if it is not all of it yet, the next attempt reads more
			s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
			if _, _, err = s.do(ctx, http.MethodGet, "/readyz", "", nil); err == nil {
				return nil
			}
		}
		if ctx.Err() == nil {
			last = err
		} else {
			log, _ := os.ReadFile(filepath.Join(s.dir, "kube-apiserver.log"))
			return fmt.Errorf("kube-apiserver does not start: %w; its log ends: %s", last, log[max(0, len(log)-2000):])
		}
	}
}

// do sends a request. Whatever the server warns of is an error too, with the answer.
func (s *apiServer) do(ctx context.Context, method, path, kind string, body []byte) ([]byte, int, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, res.StatusCode, err
	}
	if res.StatusCode >= 300 {
		return answer, res.StatusCode, errors.New(message(answer))
	}
	for _, warning := range res.Header.Values("Warning") {
		if !strings.Contains(warning, headless) {
			return answer, res.StatusCode, fmt.Errorf("admitted with a warning: %s", warning)
		}
	}
	return answer, res.StatusCode, nil
}

// message is what a Status says.
func message(answer []byte) string {
	var status struct{ Message string }
	if json.Unmarshal(answer, &status) != nil || status.Message == "" {
		return string(answer)
	}
	return status.Message
}
