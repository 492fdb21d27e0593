using System.Diagnostics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Llama2;

/// <summary>A Llama model as an <see cref="IChatClient"/>. Thread-safe; reached through <see cref="LlamaModel.AsIChatClient"/>.</summary>
/// <remarks>Stateless: each call carries the whole conversation, and the engine's prefix cache makes the part that is known cheap.</remarks>
internal sealed class LlamaChatClient : IChatClient
{
    private readonly LlamaModel _model;
    private readonly bool _leaveOpen;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger _logger;
    private readonly ChatClientMetadata _metadata;
    private readonly ChatOptionsMapper _mapper;
    private readonly ChatPromptPlanner _planner;

    public LlamaChatClient(LlamaModel model, bool leaveOpen, TimeProvider? timeProvider = null)
    {
        (_model, _leaveOpen, _timeProvider) = (model, leaveOpen, timeProvider ?? TimeProvider.System);
        _logger = model.LoggerFactory?.CreateLogger<LlamaChatClient>() ?? NullLogger<LlamaChatClient>.Instance;
        _metadata = new("llama2", providerUri: null, model.ModelId);
        _mapper = new(model.ModelId, model.Options.SettingsValidation, _logger, model.Engine.Defaults.Constraint);
        _planner = new(model.Tokenizer, model.Options.ChatTemplate ?? new Llama2ChatTemplate(), model.ContextLength);
    }

    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        var updates = new List<ChatResponseUpdate>();
        await foreach (ChatResponseUpdate update in GetStreamingResponseAsync(messages, options, cancellationToken).ConfigureAwait(false))
        {
            updates.Add(update);
        }

        ChatResponse response = updates.ToChatResponse();
        response.RawRepresentation = ((GenerationUpdate)updates[^1].RawRepresentation!).Result;
        response.AdditionalProperties = response.Messages[^1].AdditionalProperties?.Clone();      // some callers look here, Semantic Kernel in the message
        return response;
    }

    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return StreamAsync(messages, options, cancellationToken);
    }

    /// <summary>Tells what a request would make the model read, without running it; for <see cref="LlamaModel"/>.</summary>
    public ChatExplanation Explain(IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        ArgumentNullException.ThrowIfNull(messages);
        GenerationOptions effective = Effective(_mapper.Map(options, this));
        ChatPlan plan = Plan([.. messages], options, effective);
        (ChatPrompt prompt, int cut) = _planner.Cut(plan.Prompt, effective);
        int cached = _model.Engine.CountCachedTokens(prompt.TokenIds, effective.Adapter);
        return new(prompt, plan.DroppedMessages, plan.DroppedTokens + cut, cached, _model.ContextLength, effective);
    }

    /// <summary>Scores labels as answers; for <see cref="LlamaChatExtensions"/>.</summary>
    public async Task<IReadOnlyList<LabelProbability>> ClassifyAsync(
        ChatMessage[] messages, string[] labels, ChatOptions? options, CancellationToken cancellationToken)
    {
        if (labels.Length == 0 || labels.Any(string.IsNullOrWhiteSpace))
        {
            throw new ArgumentException("At least one label is needed, and none may be blank.", nameof(labels));
        }

        GenerationOptions requested = _mapper.Map(options, this);
        RefuseWhatCannotAct(requested);
        (int[] prompt, string? adapter, LabelScorer scorer) = await Task.Run(Prepare, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<IReadOnlyList<ScoredToken>> scores =
            await _model.Engine.ScoreContinuationsAsync(prompt, scorer.Continuations, top: 0, adapter, cancellationToken).ConfigureAwait(false);
        return scorer.Probabilities(scores);

        (int[] Prompt, string? Adapter, LabelScorer Scorer) Prepare()
        {
            // The room that a policy keeps for the answer is the longest label's, counted before the prompt is known: so with the template's ends.
            GenerationOptions effective = Effective(requested with { MaxNewTokens = labels.Max(label => _model.Tokenizer.CountTokens($"{label} ") + 1) });
            ChatPlan plan = _planner.Plan(messages, options?.Instructions, effective);
            var answers = new LabelScorer(
                labels,
                [.. labels.Select(label => _planner.EncodeAnswer(plan, messages, options?.Instructions, label))],
                _model.Config.EndOfTextIds,
                _model.Tokenizer);
            (ChatPrompt prompt, _) = _planner.Cut(plan.Prompt, effective with { MaxNewTokens = answers.LongestAnswer }, wholeAnswer: true);
            return ([.. prompt.TokenIds], effective.Adapter, answers);
        }
    }

    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null :
            serviceType == typeof(ChatClientMetadata) ? _metadata :
            serviceType == typeof(LlamaModel) ? _model :
            serviceType == typeof(LlamaTokenizer) ? _model.Tokenizer :
            serviceType == typeof(LlamaEngine) ? _model.Engine :
            serviceType.IsInstanceOfType(this) ? this : null;
    }

    public void Dispose()
    {
        if (!_leaveOpen)
        {
            _model.Dispose();
        }
    }

    private static void RefuseWhatCannotAct(GenerationOptions requested)
    {
        if (requested.Constraint is not null)
        {
            throw new NotSupportedException("A form of the answer or functions are asked for, but labels are scored as they are; leave them unset.");
        }

        foreach ((string name, _) in GenerationSetting.Describe(requested))
        {
            if (name is not ("context_overflow" or "adapter"))
            {
                throw new NotSupportedException($"The setting '{name}' is set, but labels are scored by the model's plain probabilities; leave it unset.");
            }
        }
    }

    /// <summary>Calls and results become text, and what the model has to know about the functions stands after the instructions.</summary>
    private ChatPlan Plan(ChatMessage[] messages, ChatOptions? options, GenerationOptions effective)
    {
        string? instructions = options?.Instructions;
        if (ToolSet.From(options) is { } tools)
        {
            string prompt = _model.Options.ToolPrompt?.Invoke(tools.Functions) ?? ToolCallFormat.Describe(tools);
            instructions = string.IsNullOrWhiteSpace(instructions) ? prompt : $"{instructions}\n\n{prompt}";
        }

        var conversation = ToolConversation.From(messages);
        return conversation.Restore(_planner.Plan(conversation.Messages, instructions, effective));
    }

    private GenerationOptions Effective(GenerationOptions requested) => requested.Or(_model.Engine.Defaults).Effective();

    /// <summary>A request in its span. Between two updates the caller's own span is the current one.</summary>
    private async IAsyncEnumerable<ChatResponseUpdate> StreamAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ChatMessage[] conversation = [.. messages];
        GenerationOptions requested = _mapper.Map(options, this);
        using ChatTelemetry? telemetry = ChatTelemetry.Start(_model.ModelId, requested, conversation, _model.Options.EnableSensitiveData);
        IAsyncEnumerator<ChatResponseUpdate> updates =
            RunAsync(conversation, options, requested, telemetry, cancellationToken).GetAsyncEnumerator(cancellationToken);
        await using ConfiguredAsyncDisposable _ = updates.ConfigureAwait(false);
        while (await NextAsync().ConfigureAwait(false))
        {
            yield return updates.Current;
        }

        async ValueTask<bool> NextAsync()
        {
            try
            {
                Activity.Current = telemetry?.Activity ?? Activity.Current;
                return await updates.MoveNextAsync().ConfigureAwait(false);
            }
            catch (Exception error)
            {
                telemetry?.Fail(error);
                throw;
            }
        }
    }

    private async IAsyncEnumerable<ChatResponseUpdate> RunAsync(
        ChatMessage[] conversation,
        ChatOptions? options,
        GenerationOptions requested,
        ChatTelemetry? telemetry,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // Long conversations take a while to encode, and the caller's thread may be one that draws a window.
        GenerationOptions effective = Effective(requested);
        ChatPlan plan = await Task.Run(() => Plan(conversation, options, effective), cancellationToken).ConfigureAwait(false);
        if (plan.DroppedMessages.Count > 0)
        {
            _logger.MessagesDropped(plan.DroppedMessages.Count, plan.Prompt.TokenIds.Count + plan.DroppedTokens);
        }

        var answer = new ChatUpdateBuilder(_model.ModelId, _timeProvider.GetUtcNow(), plan, effective);
        GenerationOptions forEngine = requested with { ReturnFullText = false };       // the prompt's own text goes before the answer, not its decoded ids
        IAsyncEnumerable<GenerationUpdate> generation = _model.Engine.GenerateAsync(plan.Prompt.TokenIds, forEngine, cancellationToken);
        await foreach (GenerationUpdate generated in generation.ConfigureAwait(false))
        {
            if (generated.Result is { } result)
            {
                telemetry?.Complete(result, answer.ResponseId);
            }

            if (answer.Next(generated) is { } update)
            {
                yield return update;
            }
        }
    }
}
