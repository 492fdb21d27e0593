using Llama2.DemoModel;

using CancellationTokenSource stop = new();
Console.CancelKeyPress += (_, press) =>
{
    press.Cancel = !stop.IsCancellationRequested;         // a second time ends the program at once
    stop.Cancel();
};
return await DemoCommands.RunAsync(args, Console.Out, Console.Error, stop.Token);
