package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// startLimit is how long the whole cluster may take to be ready; idle cores need 4 s.
const startLimit = 120 * time.Second

// part is a running process of the cluster.
type part struct {
	name    string
	command *exec.Cmd
	ended   chan struct{}
}

// cluster is what up has started, in that order.
type cluster struct {
	folder string
	server string
	parts  []*part
}

// Several -flag values.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

// runUp starts a cluster, prints one line of JSON when it is ready, and stops it with SIGTERM or SIGINT.
func runUp(arguments []string) error {
	// A child gets its signal when the thread that started it ends, so that thread has to last.
	runtime.LockOSThread()
	started := time.Now()
	flags := flag.NewFlagSet("up", flag.ExitOnError)
	folder := flags.String("folder", "", "an empty folder for the cluster")
	fleet := flags.String("fleet", "", "file with the simulated nodes; none without it")
	untilClosed := flags.Bool("until-stdin-closes", false, "stop when standard input ends")
	removeFolder := flags.Bool("remove-folder", false, "remove the folder after the cluster was stopped")
	var apiserverFlags list
	flags.Var(&apiserverFlags, "apiserver-flag", "a flag for kube-apiserver, after those it has")
	_ = flags.Parse(arguments)

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	if *untilClosed {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop()
		}()
	}
	c, err := start(ctx, *folder, *fleet, apiserverFlags)
	// Ports are chosen before they are listened on, so another process may have been quicker.
	for try := 0; errors.Is(err, errPortTaken) && try < 3; try++ {
		c, err = start(ctx, *folder, *fleet, apiserverFlags)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	line, err := json.Marshal(map[string]any{
		"kubeconfig":            filepath.Join(c.folder, "kubeconfig"),
		"certificateKubeconfig": filepath.Join(c.folder, "certificate.kubeconfig"),
		"server":                c.server,
		"readyMs":               time.Since(started).Milliseconds(),
	})
	if err == nil {
		fmt.Println(string(line))
		err = c.wait(ctx)
	}
	c.stop()
	if err == nil && *removeFolder {
		return os.RemoveAll(c.folder)
	}
	return err
}

var errPortTaken = errors.New("a port was taken meanwhile")

func start(ctx context.Context, folder, fleet string, apiserverFlags []string) (*cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	for _, path := range []string{folder, filepath.Join(folder, "etcd")} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, err
		}
	}
	ports, err := freePorts(5)
	if err != nil {
		return nil, err
	}
	c := &cluster{folder: folder, server: "https://127.0.0.1:" + ports[0]}
	ca, err := writeCredentials(folder, c.server)
	if err != nil {
		return nil, err
	}
	if err := c.startParts(ctx, ca, ports, fleet, apiserverFlags); err != nil {
		taken := c.portTaken()
		c.stop()
		if taken {
			return nil, errors.Join(errPortTaken, err, os.RemoveAll(filepath.Join(folder, "etcd")))
		}
		return nil, err
	}
	return c, nil
}

func (c *cluster) startParts(ctx context.Context, ca *authority, ports []string, fleet string, apiserverFlags []string) error {
	etcd := "127.0.0.1:" + ports[3]
	if err := c.run("etcd", "--folder", filepath.Join(c.folder, "etcd"), "--client", etcd, "--peer", "127.0.0.1:"+ports[4]); err != nil {
		return err
	}
	if err := c.run("apiserver", append(c.apiserverFlags(etcd, ports[0]), apiserverFlags...)...); err != nil {
		return err
	}
	client := healthClient(ca)
	if err := c.waitFor(ctx, client, c.server+"/readyz"); err != nil {
		return err
	}
	if err := c.run("scheduler", c.controlFlags("scheduler", ports[1])...); err != nil {
		return err
	}
	if err := c.run("controller-manager", append(c.controlFlags("controller-manager", ports[2]), c.controllerFlags()...)...); err != nil {
		return err
	}
	if err := c.startKubelets(fleet); err != nil {
		return err
	}
	for _, url := range []string{"https://127.0.0.1:" + ports[1] + "/readyz", "https://127.0.0.1:" + ports[2] + "/healthz"} {
		if err := c.waitFor(ctx, client, url); err != nil {
			return err
		}
	}
	return c.waitForServiceAccount(ctx)
}

func (c *cluster) apiserverFlags(etcd, port string) []string {
	in := func(name string) string { return filepath.Join(c.folder, name) }
	return []string{
		"--etcd-servers=http://" + etcd,
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port=" + port,
		"--endpoint-reconciler-type=none",
		"--cert-dir=" + c.folder, "--tls-cert-file=" + in("tls.crt"), "--tls-private-key-file=" + in("tls.key"),
		"--client-ca-file=" + in("ca.crt"), "--token-auth-file=" + in("tokens.csv"), "--authorization-mode=RBAC",
		"--requestheader-client-ca-file=" + in("ca.crt"), "--requestheader-allowed-names=front-proxy",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
		"--proxy-client-cert-file=" + in("front.crt"), "--proxy-client-key-file=" + in("front.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + in("sa.key"), "--service-account-signing-key-file=" + in("sa.key"),
		"--service-cluster-ip-range=10.96.0.0/16",
		// A new node is ready at once; its taint would have to be waited for.
		"--disable-admission-plugins=TaintNodesByCondition",
		"--kubelet-preferred-address-types=InternalIP",
		"--enable-priority-and-fairness=false", "--max-requests-inflight=0", "--max-mutating-requests-inflight=0",
		"--profiling=false",
	}
}

func (c *cluster) controlFlags(name, port string) []string {
	access := filepath.Join(c.folder, name+".kubeconfig")
	return []string{
		"--kubeconfig=" + access, "--authentication-kubeconfig=" + access, "--authorization-kubeconfig=" + access,
		"--leader-elect=false", "--bind-address=127.0.0.1", "--secure-port=" + port,
		"--tls-cert-file=" + filepath.Join(c.folder, "tls.crt"), "--tls-private-key-file=" + filepath.Join(c.folder, "tls.key"),
		"--kube-api-qps=1000", "--kube-api-burst=2000",
	}
}

// The grace period of nodes stays as it is: a loaded machine's heartbeats are late, and nothing would make the pods
// of a node ready again that came back.
func (c *cluster) controllerFlags() []string {
	return []string{
		"--service-account-private-key-file=" + filepath.Join(c.folder, "sa.key"), "--root-ca-file=" + filepath.Join(c.folder, "ca.crt"),
		"--use-service-account-credentials=false", "--allocate-node-cidrs=false",
		"--horizontal-pod-autoscaler-sync-period=2s", "--node-monitor-period=1s",
		"--controllers=*,-bootstrap-signer-controller,-token-cleaner-controller",
	}
}

// command prepares a part whose output goes to its log and which ends when this process does, however that ends.
func (c *cluster) command(name string, arguments ...string) (*exec.Cmd, *os.File, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	log, err := os.Create(filepath.Join(c.folder, name+".log"))
	if err != nil {
		return nil, nil, err
	}
	command := exec.Command(self, append([]string{name}, arguments...)...)
	command.Stdout, command.Stderr = log, log
	// In a group of its own no part gets the terminal's Ctrl-C: they have to end in order.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	return command, log, nil
}

func (c *cluster) run(name string, arguments ...string) error {
	command, log, err := c.command(name, arguments...)
	if err != nil {
		return err
	}
	defer log.Close()
	return c.launch(name, command)
}

func (c *cluster) launch(name string, command *exec.Cmd) error {
	if err := command.Start(); err != nil {
		return fmt.Errorf("%s does not start: %w", name, err)
	}
	one := &part{name, command, make(chan struct{})}
	c.parts = append(c.parts, one)
	go func() {
		_ = command.Wait()
		close(one.ended)
	}()
	return nil
}

// startKubelets starts the simulated nodes and waits until all of the fleet are ready.
func (c *cluster) startKubelets(fleet string) error {
	arguments := []string{"--kubeconfig", filepath.Join(c.folder, "kubeconfig")}
	if fleet != "" {
		arguments = append(arguments, "--fleet", fleet)
	}
	command, log, err := c.command("kubelets", arguments...)
	if err != nil {
		return err
	}
	defer log.Close()
	command.Stdout = nil
	output, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("kubelets do not start: %w", err)
	}
	one := &part{"kubelets", command, make(chan struct{})}
	c.parts = append(c.parts, one)
	line, readError := bufio.NewReader(output).ReadString('\n')
	go func() {
		_ = command.Wait()
		close(one.ended)
	}()
	if readError != nil || line != "ready\n" {
		return fmt.Errorf("the simulated kubelets ended: %s", c.lastLine("kubelets"))
	}
	return nil
}

func healthClient(ca *authority) *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(ca.certificate)
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
}

func (c *cluster) waitFor(ctx context.Context, client *http.Client, url string) error {
	return c.until(ctx, url, func() bool {
		answer, err := client.Get(url)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

// Pods can't be made before their namespace has its service account.
func (c *cluster) waitForServiceAccount(ctx context.Context) error {
	client, err := newClient(filepath.Join(c.folder, "kubeconfig"))
	if err != nil {
		return err
	}
	return c.until(ctx, "the service account of namespace default", func() bool {
		_, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err == nil
	})
}

func (c *cluster) until(ctx context.Context, what string, done func() bool) error {
	for !done() {
		if one := c.firstEnded(); one != nil {
			return fmt.Errorf("%s ended while the cluster started: %s", one.name, c.lastLine(one.name))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after %s; the logs are in %s", what, startLimit, c.folder)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

func (c *cluster) firstEnded() *part {
	for _, one := range c.parts {
		select {
		case <-one.ended:
			return one
		default:
		}
	}
	return nil
}

func (c *cluster) wait(ctx context.Context) error {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if one := c.firstEnded(); one != nil {
				return fmt.Errorf("%s ended by itself: %s", one.name, c.lastLine(one.name))
			}
		}
	}
}

// stop ends the parts in reverse order, one after another: the API server waits 10 s for an etcd that is gone.
func (c *cluster) stop() {
	for i := len(c.parts) - 1; i >= 0; i-- {
		one := c.parts[i]
		_ = one.command.Process.Signal(syscall.SIGTERM)
		select {
		case <-one.ended:
		case <-time.After(10 * time.Second):
			_ = one.command.Process.Kill()
			<-one.ended
		}
	}
}

// lastLine returns the last line of a part's log, where it says why it ended.
func (c *cluster) lastLine(name string) string {
	content, _ := os.ReadFile(filepath.Join(c.folder, name+".log"))
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return lines[len(lines)-1]
}

func (c *cluster) portTaken() bool {
	for _, one := range c.parts {
		content, _ := os.ReadFile(filepath.Join(c.folder, one.name+".log"))
		if strings.Contains(string(content), "address already in use") {
			return true
		}
	}
	return false
}

// freePorts returns ports of the loopback on which nothing listens, all different.
func freePorts(count int) ([]string, error) {
	var ports []string
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		_, port, err := net.SplitHostPort(listener.Addr().String())
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return ports, nil
}
