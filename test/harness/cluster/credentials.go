package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority signs the certificates of one cluster.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificateTemplate(pkix.Name{CommonName: "test cluster"})
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{certificate, key, pemBlock("CERTIFICATE", der)}, nil
}

func certificateTemplate(subject pkix.Name) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      subject,
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(30 * 24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.ParseIP("127.0.0.1")},
	}
}

// issue returns a certificate for the loopback, or for a client of that name and group, and its key.
func (a *authority) issue(subject pkix.Name) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, certificateTemplate(subject), a.certificate, private.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	keyDer, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pemBlock("CERTIFICATE", der), pemBlock("EC PRIVATE KEY", keyDer), nil
}

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// identity is a user of the cluster, known by a token.
type identity struct{ file, user, group string }

var identities = []identity{
	{"kubeconfig", "admin", "system:masters"},
	{"scheduler.kubeconfig", "system:kube-scheduler", ""},
	// Without this group each of its controllers would need a service account, which costs 5 s at the start.
	{"controller-manager.kubeconfig", "system:kube-controller-manager", "system:masters"},
}

// writeCredentials fills the folder with all that the parts of a cluster prove themselves by: ca.crt, tls.crt and
// tls.key of the servers, front.crt and front.key of the aggregator, sa.key, tokens.csv and the kubeconfigs.
// certificate.kubeconfig is the administrator's too, by a client certificate.
func writeCredentials(folder, server string) (*authority, error) {
	ca, err := newAuthority()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"ca.crt": ca.pem}
	for name, subject := range map[string]pkix.Name{
		"tls":   {CommonName: "127.0.0.1"},
		"front": {CommonName: "front-proxy"},
		"admin": {CommonName: "admin", Organization: []string{"system:masters"}},
		"sa":    {CommonName: "service accounts"},
	} {
		if files[name+".crt"], files[name+".key"], err = ca.issue(subject); err != nil {
			return nil, err
		}
	}
	for _, one := range identities {
		secret := make([]byte, 16)
		if _, err := rand.Read(secret); err != nil {
			return nil, err
		}
		token := hex.EncodeToString(secret)
		files["tokens.csv"] = append(files["tokens.csv"], fmt.Sprintf("%s,%s,%s,%q\n", token, one.user, one.user, one.group)...)
		if files[one.file], err = kubeconfig(server, ca.pem, map[string]any{"token": token}); err != nil {
			return nil, err
		}
	}
	byCertificate := map[string]any{"client-certificate-data": files["admin.crt"], "client-key-data": files["admin.key"]}
	if files["certificate.kubeconfig"], err = kubeconfig(server, ca.pem, byCertificate); err != nil {
		return nil, err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	return ca, nil
}

func kubeconfig(server string, ca []byte, user map[string]any) ([]byte, error) {
	return json.MarshalIndent(map[string]any{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": "test",
		"clusters":        []any{map[string]any{"name": "test", "cluster": map[string]any{"server": server, "certificate-authority-data": ca}}},
		"users":           []any{map[string]any{"name": "test", "user": user}},
		"contexts":        []any{map[string]any{"name": "test", "context": map[string]any{"cluster": "test", "user": "test"}}},
	}, "", "  ")
}
