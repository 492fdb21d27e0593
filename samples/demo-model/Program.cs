return Llama2.DemoCorpus.CorpusCommands.Run(args, Console.Out, Console.Error);
