using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.Services;
using Microsoft.SemanticKernel.TextGeneration;
using TextContent = Microsoft.SemanticKernel.TextContent;

namespace Llama2.SemanticKernel;

/// <summary>Goes on from a bare text: begin of text, then the prompt's own ids; no chat format. Thread-safe.</summary>
/// <remarks>Settings go the way of chat settings, so the same ones act and the same ones are refused.</remarks>
internal sealed class Llama2TextGenerationService : ITextGenerationService, IDisposable
{
    private readonly LlamaModel _model;
    private readonly IChatClient _client;
    private readonly ChatOptionsMapper _mapper;

    public Llama2TextGenerationService(LlamaModel model)
    {
        ILogger logger = model.LoggerFactory?.CreateLogger<Llama2TextGenerationService>() ?? (ILogger)NullLogger.Instance;
        (_model, _client) = (model, model.AsIChatClient(leaveOpen: true));
        _mapper = new(model.ModelId, model.Options.SettingsValidation, logger);
        Attributes = new Dictionary<string, object?> { [AIServiceExtensions.ModelIdKey] = model.ModelId }.AsReadOnly();
    }

    public IReadOnlyDictionary<string, object?> Attributes { get; }

    public async Task<IReadOnlyList<TextContent>> GetTextContentsAsync(
        string prompt, PromptExecutionSettings? executionSettings = null, Kernel? kernel = null, CancellationToken cancellationToken = default)
    {
        GenerationResult? result = null;
        await foreach (GenerationUpdate update in GenerateAsync(prompt, Map(executionSettings, kernel), cancellationToken).ConfigureAwait(false))
        {
            result = update.Result;
        }

        return [new TextContent(result!.Text, _model.ModelId, innerContent: result, metadata: Summary(result))];
    }

    public async IAsyncEnumerable<StreamingTextContent> GetStreamingTextContentsAsync(
        string prompt,
        PromptExecutionSettings? executionSettings = null,
        Kernel? kernel = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (GenerationUpdate update in GenerateAsync(prompt, Map(executionSettings, kernel), cancellationToken).ConfigureAwait(false))
        {
            if (update.Text.Length > 0 || update.LogProbabilities is not null || update.Result is not null)
            {
                yield return new(update.Text, choiceIndex: 0, _model.ModelId, innerContent: update, metadata: Metadata(update));
            }
        }
    }

    public void Dispose() => _client.Dispose();

    private async IAsyncEnumerable<GenerationUpdate> GenerateAsync(
        string prompt, GenerationOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        int[] ids = await Task.Run<int[]>(() => [_model.Tokenizer.BeginOfTextId, .. _model.Tokenizer.Encode(prompt)], cancellationToken).ConfigureAwait(false);
        await foreach (GenerationUpdate update in _model.Engine.GenerateAsync(ids, options, cancellationToken).ConfigureAwait(false))
        {
            yield return update;
        }
    }

    private GenerationOptions Map(PromptExecutionSettings? settings, Kernel? kernel)
    {
        ChatOptions? options = settings.Typed().ToChatOptions(kernel);
        if (options?.Instructions is not null)
        {
            throw new NotSupportedException("The settings have a system prompt, but text generation reads the prompt alone: use the chat service, or write it into the prompt.");
        }

        if (options?.Tools is { Count: > 0 } && options.ToolMode is not NoneChatToolMode)
        {
            throw new NotSupportedException("The settings offer functions to the model, but text generation calls none: use the chat service.");
        }

        return _mapper.Map(options, _client);
    }

    private static IReadOnlyDictionary<string, object?>? Metadata(GenerationUpdate update) =>
        update.Result is { } result ? Summary(result)
        : update.LogProbabilities is { } scores ? new Dictionary<string, object?> { ["logprobs"] = scores }
        : null;

    private static AdditionalPropertiesDictionary Summary(GenerationResult result)
    {
        AdditionalPropertiesDictionary summary = ChatUpdateBuilder.Summary(
            result, ChatUpdateBuilder.Reason(result), result.EffectiveOptions.ReturnFullText is true);
        summary["Usage"] = ChatUpdateBuilder.Usage(result.Usage);
        return summary;
    }
}
