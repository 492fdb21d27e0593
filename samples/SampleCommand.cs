using System.CommandLine;

namespace Llama2.Samples;

/// <summary>The command line of a sample: which model, which text. Not about the library; linked into each sample.</summary>
internal static class SampleCommand
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(3);

    /// <summary>Finds model and text and does the work.</summary>
    /// <param name="args">The arguments of the program.</param>
    /// <param name="description">What the sample does, for <c>--help</c>.</param>
    /// <param name="sample">The text where the user gives none.</param>
    /// <param name="work">Takes the path of the model, what the command line says about its options, the text and a token that Ctrl-C cancels.</param>
    /// <returns>0 done, 1 failed or cancelled, 2 wrong usage.</returns>
    public static async Task<int> RunAsync(string[] args, string description, string sample, Func<string, Action<LlamaModelOptions>?, string, CancellationToken, Task> work)
    {
        var model = new Option<string?>("--model") { Description = "A Hugging Face folder, a folder of Meta's, or a .gguf file (default: the demo model)" };
        var file = new Option<string?>("--file") { Description = "Read the text from a UTF-8 file" };
        var words = new Argument<string[]>("TEXT") { Description = "The text (default: what is piped in, else a sample)", Arity = ArgumentArity.ZeroOrMore };
        words.Validators.Add(result =>
        {
            if (result.Tokens.FirstOrDefault(token => token.Value.StartsWith("--", StringComparison.Ordinal)) is { } unknown)
            {
                result.AddError($"There is no option {unknown.Value}.");
            }
        });
        var command = new RootCommand(description) { model, file, words };
        SampleDevice.AddTo(command);
        command.SetAction(async (parse, cancellationToken) =>
        {
            string text = await ReadAsync(parse.GetValue(words)!, parse.GetValue(file), sample, cancellationToken);
            string path = parse.GetValue(model) ?? Path.Combine(AppContext.BaseDirectory, "model");
            if (!Path.Exists(path))
            {
                throw new FileNotFoundException($"There is no model at '{path}'; --model PATH names another one.");
            }

            await work(path, SampleDevice.Bind(parse), text, cancellationToken);
            return 0;
        });
        ParseResult parse = command.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        try
        {
            int code = await parse.InvokeAsync(new() { EnableDefaultExceptionHandler = false });
            return parse.Errors.Count > 0 ? 2 : code;
        }
        catch (Exception error)
        {
            await Console.Error.WriteLineAsync($"error: {error.Message}");
            return 1;
        }
    }

    private static async Task<string> ReadAsync(string[] words, string? file, string sample, CancellationToken cancellationToken)
    {
        if (words.Length > 0)
        {
            return string.Join(' ', words);
        }

        if (file is not null)
        {
            return NotBlank(await File.ReadAllTextAsync(file, cancellationToken)) ?? throw new InvalidDataException($"'{file}' holds no text.");
        }

        return Console.IsInputRedirected ? NotBlank(await ReadPipeAsync(cancellationToken)) ?? sample : sample;
    }

    /// <summary>Services and editors start programs with an input that never says anything and never ends; nobody should wait for those.</summary>
    private static async Task<string> ReadPipeAsync(CancellationToken cancellationToken)
    {
        using Stream input = Console.OpenStandardInput();
        using var reader = new StreamReader(input);
        Task<int> first = Task.Run(reader.Peek, cancellationToken);
        try
        {
            return await first.WaitAsync(_patience, cancellationToken) < 0 ? "" : await reader.ReadToEndAsync(cancellationToken);
        }
        catch (TimeoutException)
        {
            await Console.Error.WriteLineAsync("note: nothing came from standard input; the sample text is used");
            return "";
        }
    }

    private static string? NotBlank(string text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();
}
