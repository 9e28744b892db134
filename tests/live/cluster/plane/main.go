// Command plane is a whole Kubernetes control plane and its client in one program: its first argument names the part that it is to be.
//
//	plane etcd --folder DIR --clients PORT --peers PORT
//	plane apiserver|controller-manager|scheduler|kubectl FLAGS...
//	plane key FILE
//	plane guard PROGRAM ARGUMENTS...
//
// `key` writes the key that signs tokens of service accounts; `guard` runs another program and ends it as the parts themselves end.
//
// The four are the released programs, built from their published modules. Only the chosen one is constructed, because they share
// global feature gates.
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// endsWithParent names the variable that asks a part to end when its standard input ends: whoever started it holds the other end
// of that pipe, and the system closes it however the holder dies.
const endsWithParent = "LIVE_ENDS_WITH_PARENT"

func main() {
	if len(os.Args) < 2 {
		fail(errors.New("usage: plane etcd|apiserver|controller-manager|scheduler|kubectl ..."))
	}
	part := os.Args[1]
	if part == "guard" {
		guard(exec.Command(os.Args[2], os.Args[3:]...))
	}
	os.Args = append(os.Args[:1], os.Args[2:]...) // kubectl looks for plug-ins in os.Args
	if os.Getenv(endsWithParent) != "" {
		go endWithInput()
	}
	switch part {
	case "etcd":
		fail(etcd(os.Args[1:]))
	case "key":
		fail(key(os.Args[1]))
	case "apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "controller-manager":
		os.Exit(cli.Run(controllers.NewControllerManagerCommand()))
	case "scheduler":
		os.Exit(cli.Run(scheduler.NewSchedulerCommand()))
	case "kubectl":
		kubectl(cmd.NewDefaultKubectlCommand())
	default:
		fail(fmt.Errorf("no part is called %q", part))
	}
}

// endWithInput ends the program, without ado since nothing has to survive, as soon as its standard input does.
func endWithInput() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// guard runs a program that knows nothing of our pipe, and kills it when standard input ends.
func guard(command *exec.Cmd) {
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if err := command.Start(); err != nil {
		fail(err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = command.Process.Kill()
	}()
	_ = command.Wait()
	os.Exit(command.ProcessState.ExitCode())
}

// kubectl runs the client so that its errors read as the released program writes them.
func kubectl(command *cobra.Command) {
	if err := cli.RunNoErrOutput(command); err != nil {
		util.CheckErr(err)
	}
}

// etcd runs one member on loopback until it is told to stop. Nothing is synced to disk: the data is not to outlive the test run.
func etcd(arguments []string) error {
	flags := flag.NewFlagSet("etcd", flag.ExitOnError)
	folder := flags.String("folder", "", "where the data lies")
	clients := flags.Int("clients", 0, "port for clients")
	peers := flags.Int("peers", 0, "port for peers")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	config := embed.NewConfig()
	config.Dir = *folder
	config.LogLevel = "error"
	config.UnsafeNoFsync = true
	config.ListenClientUrls, config.AdvertiseClientUrls = loopback(*clients), loopback(*clients)
	config.ListenPeerUrls, config.AdvertisePeerUrls = loopback(*peers), loopback(*peers)
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-stop:
	case err = <-server.Err():
	}
	done := make(chan struct{})
	go func() { server.Close(); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
	}
	return err
}

// key writes a new private key that signs tokens of service accounts.
func key(file string) error {
	made, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	block := pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(made)}
	return os.WriteFile(file, pem.EncodeToMemory(&block), 0o600)
}

func loopback(port int) []url.URL {
	return []url.URL{{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)}}
}

func fail(err error) {
	if err == nil {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "plane:", err)
	os.Exit(1)
}
