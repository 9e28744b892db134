// Command nodes stands where containers would run: it is the kubelet of every Node that asks for it, the provisioner of volumes and of
// load balancers, and the metrics APIs. What it does to a pod and which samples it serves is said by tests; nothing is ever run.
//
//	nodes --kubeconfig FILE --port PORT --token-file FILE --certificate FILE
//
// The port serves HTTPS on loopback: logs of containers, the three metrics APIs, and under /lab/ what tests set and ask.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"
)

// endsWithParent names the variable that asks the program to end when its standard input ends.
const endsWithParent = "LIVE_ENDS_WITH_PARENT"

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how the API server is reached")
	port := flag.Int("port", 0, "port of the HTTPS server on loopback")
	tokenFile := flag.String("token-file", "", "file whose first word opens /lab/")
	certificate := flag.String("certificate", "", "file to write the server's certificate to")
	flag.Parse()
	if os.Getenv(endsWithParent) != "" {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
	}
	if err := run(*kubeconfig, *port, *tokenFile, *certificate); err != nil {
		fmt.Fprintln(os.Stderr, "nodes:", err)
		os.Exit(1)
	}
}

func run(kubeconfig string, port int, tokenFile, certificate string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 1000, 2000
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	factory := informers.NewSharedInformerFactory(client, 0)
	kubelet := newKubelet(ctx, client, factory, port)
	provisionVolumes(ctx, client, factory)
	giveAddresses(ctx, client, factory)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	go kubelet.renewLeases(ctx)
	return serve(ctx, port, certificate, newMetrics(kubelet, strings.TrimSpace(strings.Split(string(token), ",")[0])))
}

// serve answers until ctx ends; whoever reads the file can trust its certificate, which is made anew.
func serve(ctx context.Context, port int, file string, handler http.Handler) error {
	certificate, key, err := cert.GenerateSelfSignedCertKey("localhost", []net.IP{net.IPv4(127, 0, 0, 1)}, nil)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, certificate, 0o600); err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return err
	}
	server := &http.Server{
		Addr:              fmt.Sprintf("127.0.0.1:%d", port),
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
	}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.ListenAndServeTLS("", ""); err != http.ErrServerClosed {
		return err
	}
	return nil
}
