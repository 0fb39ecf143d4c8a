package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/unhidra/unhidra/internal/domain"
)

// S3Options are the options of a bucket of an S3-compatible service.
type S3Options struct {
	Endpoint string // URL of the service, https://... or http://...
	Bucket   string
	Prefix   string // of all names, without a trailing slash; may be empty
	Region   string // empty: us-east-1
	Key      string
	Secret   string
}

const (
	s3Patience = 10 * time.Second // until the response begins
	s3PartSize = 16 << 20
	// s3StreamPart is the size of the parts of a stream, whose number is limited to 10,000.
	s3StreamPart = 32 << 20
)

// S3 stores objects in a bucket.
type S3 struct {
	client *minio.Client
	o      S3Options
}

// NewS3 returns the objects in a bucket. It sends no request.
func NewS3(o S3Options) (*S3, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no URL of an S3 service; write https://HOST", o.Endpoint)
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = s3Patience
	client, err := minio.New(u.Host, &minio.Options{
		Creds: credentials.NewStaticV4(o.Key, o.Secret, ""), Secure: u.Scheme == "https", Region: o.Region,
		Transport:  transport,
		MaxRetries: 3,
	})
	if err != nil {
		return nil, err
	}
	return &S3{client, o}, nil
}

// Check returns an error if the bucket does not exist. If the service does not respond or refuses
// the key, the error is of kind domain.Unavailable.
func (s *S3) Check(ctx context.Context) error {
	found, err := s.client.BucketExists(ctx, s.o.Bucket)
	if minio.ToErrorResponse(err).Code == minio.AccessDenied { // which is all that an answer to HEAD can say
		return errors.Join(s.listOne(ctx), away(err))
	}
	if err != nil {
		return away(err)
	}
	if !found {
		return fmt.Errorf("there is no bucket %q at %s; make it first", s.o.Bucket, s.o.Endpoint)
	}
	return nil
}

// listOne asks for the name of one object, to hear why the service refuses requests.
func (s *S3) listOne(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for o := range s.client.ListObjects(ctx, s.o.Bucket, minio.ListObjectsOptions{MaxKeys: 1}) {
		return away(o.Err)
	}
	return nil
}

// away turns errors of the service into errors for callers.
func away(err error) error {
	var said minio.ErrorResponse
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &said) && said.Code == minio.NoSuchKey:
		return Missing(said.Key)
	case errors.As(err, &said) && said.Code == minio.RequestTimeTooSkewed:
		err = fmt.Errorf("the clocks of this server and of the S3 service differ too much; set the one that is wrong: %w",
			err)
	}
	return domain.Unavailable.Errorf(domain.CodeFilesUnavailable,
		"the server cannot reach its storage of files just now; try again").
		After(s3Patience).Because(err)
}

func (s *S3) key(name string) string {
	if s.o.Prefix == "" {
		return name
	}
	return s.o.Prefix + "/" + name
}

// Put uploads a file. The service verifies the MD5 of each part.
func (s *S3) Put(ctx context.Context, name string, f *os.File, _ int64) error {
	_, err := s.client.FPutObject(ctx, s.o.Bucket, s.key(name), f.Name(), minio.PutObjectOptions{
		ContentType: "application/octet-stream", PartSize: s3PartSize, SendContentMd5: true,
	})
	return away(err)
}

// PutStream uploads what r has up to its end, of any size up to 312 GiB, with 32 MiB of it at a time
// in memory. If r fails, the object does not exist.
func (s *S3) PutStream(ctx context.Context, name string, r io.Reader) error {
	_, err := s.client.PutObject(ctx, s.o.Bucket, s.key(name), r, -1, minio.PutObjectOptions{
		ContentType: "application/octet-stream", PartSize: s3StreamPart, SendContentMd5: true,
	})
	return away(err)
}

// Get requests an object. An error may be returned by the first Read.
func (s *S3) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	if length == 0 {
		return http.NoBody, nil
	}
	var o minio.GetObjectOptions
	end := int64(0) // up to the end
	if length > 0 {
		end = offset + length - 1
	}
	if offset > 0 || length > 0 {
		if err := o.SetRange(offset, end); err != nil {
			return nil, err
		}
	}
	core := minio.Core{Client: s.client}
	body, _, _, err := core.GetObject(ctx, s.o.Bucket, s.key(name), o)
	if err != nil {
		return nil, away(err)
	}
	return body, nil
}

// Presign returns a URL of an object that anyone can GET, whole or in ranges, for some time: at most 7 days. It
// sends no request, and does not look whether there is such an object.
func (s *S3) Presign(name string, life time.Duration) (string, error) {
	u, err := s.client.PresignedGetObject(context.Background(), s.o.Bucket, s.key(name), life, nil)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

// Delete deletes an object.
func (s *S3) Delete(ctx context.Context, name string) error {
	return away(s.client.RemoveObject(ctx, s.o.Bucket, s.key(name), minio.RemoveObjectOptions{}))
}

// List calls fn for each object.
func (s *S3) List(ctx context.Context, fn func(Object) error) error {
	ctx, cancel := context.WithCancel(ctx) // ends the listing if fn fails
	defer cancel()
	prefix := s.key("")
	for o := range s.client.ListObjects(ctx, s.o.Bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if o.Err != nil {
			return away(o.Err)
		}
		if err := fn(Object{Name: strings.TrimPrefix(o.Key, prefix), Size: o.Size, Modified: o.LastModified}); err != nil {
			return err
		}
	}
	return nil
}
