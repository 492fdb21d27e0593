using System.Runtime.InteropServices;
using Llama2.Cli;

Terminal terminal = Terminal.Open();
using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => signal.Cancel = terminal.Interrupts.Raise());
using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => signal.Cancel = terminal.Interrupts.RaiseAll());
return await CommandLine.RunAsync(args, terminal);
