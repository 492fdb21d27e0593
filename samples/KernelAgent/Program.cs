using System.CommandLine;
using System.Text;
using System.Text.Json;
using Llama2.Samples;
using Llama2.SemanticKernel;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;
using YamlDotNet.Serialization;

var model = new Option<string>("--model")
{
    Description = "A Hugging Face folder, a Meta folder or a .gguf file",
    DefaultValueFactory = _ => Path.Combine(AppContext.BaseDirectory, "model"),
};
var functions = new Option<bool>("--functions") { Description = "Let the model call the calendar's functions; models that were not trained for it chat better without" };
var command = new RootCommand("Chats, and on /summarise TEXT or /emotion TEXT does that.") { model, functions };
SampleDevice.AddTo(command);
command.SetAction((parse, cancellationToken) => RunAsync(parse.GetValue(model)!, SampleDevice.Bind(parse), parse.GetValue(functions), cancellationToken));
return await command.Parse(args).InvokeAsync();

static async Task RunAsync(string model, Action<Llama2.LlamaModelOptions>? configure, bool offersFunctions, CancellationToken cancellationToken)
{
    IKernelBuilder builder = Kernel.CreateBuilder().AddLlama2ChatCompletion(model, configure);
    builder.Plugins.AddFromType<CalendarPlugin>("Calendar");
    Kernel kernel = builder.Build();
    using var services = (IDisposable)kernel.Services;                           // and with them the model

    KernelFunction summarise = kernel.CreateFunctionFromPrompt(
        """<message role="user">Summarize this dialog: {{$input}}</message>""", new Llama2PromptExecutionSettings { DoSample = false, MaxNewTokens = 120 });
    KernelFunction classify = kernel.CreateFunctionFromPrompt(ReadPrompt(Path.Combine(AppContext.BaseDirectory, "classify-emotion.yaml")));

    IChatCompletionService chat = kernel.GetRequiredService<IChatCompletionService>();
    var settings = new Llama2PromptExecutionSettings
    {
        Temperature = 0.7f,
        MaxNewTokens = 200,
        ContextOverflow = Llama2.ContextOverflow.DropOldestTurns,                // a long chat goes on without its beginning
        FunctionChoiceBehavior = offersFunctions ? FunctionChoiceBehavior.Auto() : null,
    };
    var history = new ChatHistory();
    while (await Console.In.ReadLineAsync(cancellationToken) is { Length: > 0 } line)
    {
        switch (line.Split(' ', 2))
        {
            case ["/summarise", string text]:
                Console.WriteLine(await summarise.InvokeAsync(kernel, new() { ["input"] = text }, cancellationToken));
                break;
            case ["/emotion", string text]:
                Console.WriteLine(await classify.InvokeAsync(kernel, new() { ["input"] = text }, cancellationToken));
                break;
            default:
                history.AddUserMessage(line);
                await AnswerAsync(kernel, chat, history, settings, cancellationToken);
                break;
        }
    }
}

static async Task AnswerAsync(Kernel kernel, IChatCompletionService chat, ChatHistory history, PromptExecutionSettings settings, CancellationToken cancellationToken)
{
    var answer = new StringBuilder();
    await foreach (StreamingChatMessageContent chunk in chat.GetStreamingChatMessageContentsAsync(history, settings, kernel, cancellationToken))
    {
        Console.Write(chunk.Content);
        answer.Append(chunk.Content);
        if (chunk.Metadata?.GetValueOrDefault("effective_settings") is { } effective)
        {
            Console.WriteLine($"\n[{chunk.Metadata["FinishReason"]}; {JsonSerializer.Serialize(effective)}]");
        }
    }

    history.AddAssistantMessage(answer.ToString());                              // calls and their results are there already
}

// What CreateFunctionFromPromptYaml of the package Microsoft.SemanticKernel.Yaml does.
static PromptTemplateConfig ReadPrompt(string path)
{
    object yaml = new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build().Deserialize<object>(File.ReadAllText(path));
    return PromptTemplateConfig.FromJson(new SerializerBuilder().JsonCompatible().Build().Serialize(yaml));
}
