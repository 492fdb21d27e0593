namespace Llama2;

/// <summary>What the adapters of a batch add to its matrix products: y += scale · B · (A · x), each token with the adapter of its own piece.</summary>
/// <remarks>
/// Every token is worked on by itself in a fixed order (<see cref="DotKernels"/>' for A · x, then rank by rank), so its bits depend neither on the
/// batch nor on the threads. One caller at a time.
/// </remarks>
internal sealed unsafe class CpuAdapterProducts : IDisposable
{
    /// <summary>Matrices of one job.</summary>
    public const int MostMatrices = 3;

    private readonly WorkerGroup _workers;
    private readonly Action<int, int> _project;
    private CpuAdapter?[] _adapters = [];                                // of each token of the batch
    private float*[] _b = [];                                            // its B: [matrices, tokens], null where it has none
    private AlignedMemory _low = new(0);                                 // A · x: [matrices, tokens, highest rank of the batch]
    private int _rank;                                                   // that rank, 0 where no piece has an adapter
    private int _inputs;                                                 // of the job

    // What the threads work on: set before a job, read by its items.
    private readonly WeightMatrix?[] _matrices = new WeightMatrix?[MostMatrices];
    private float* _input;

    public CpuAdapterProducts(WorkerGroup workers) => (_workers, _project) = (workers, Project);

    /// <summary>Notes the adapter of each token.</summary>
    public void Prepare(LlamaBatch batch)
    {
        _rank = 0;
        foreach (BatchPiece piece in batch.Pieces)
        {
            _rank = Math.Max(_rank, (piece.Adapter as CpuAdapter)?.Rank ?? 0);
        }

        if (_rank == 0)
        {
            return;
        }

        int tokens = batch.Tokens.Length;
        if (_adapters.Length < tokens)
        {
            _adapters = new CpuAdapter?[tokens];
            _b = new float*[MostMatrices * tokens];
        }

        AlignedMemory.Reserve(ref _low, sizeof(float) * (long)MostMatrices * tokens * _rank);

        foreach (BatchPiece piece in batch.Pieces)
        {
            _adapters.AsSpan(piece.Start, piece.Count).Fill((CpuAdapter?)piece.Adapter);
        }
    }

    /// <summary>Computes A · x of every token whose adapter stands beside one of the matrices; before <see cref="AddStripes"/>.</summary>
    /// <param name="products">Matrices of a block with the same input. The head has no adapter beside it, whatever its number of inputs.</param>
    /// <param name="input">x: [inputs, columns], the tokens of the batch.</param>
    /// <param name="inputs">Inputs.</param>
    public void Begin(ReadOnlySpan<CpuProduct> products, float* input, int inputs)
    {
        if (_rank > 0)
        {
            for (int i = 0; i < products.Length; i++)
            {
                _matrices[i] = products[i].Matrix;
            }

            _inputs = inputs;
            _input = input;
            _workers.For(products.Length * inputs, _project);
        }
    }

    /// <summary>Adds to the outputs of some stripes of a matrix, once they are there.</summary>
    /// <param name="index">The matrix among those of <see cref="Begin"/>.</param>
    /// <param name="matrix">The matrix.</param>
    /// <param name="firstStripe">From 0 to <see cref="WeightMatrix.Stripes"/> − 1.</param>
    /// <param name="endStripe">The stripe after the last.</param>
    /// <param name="output">y: [inputs, rows].</param>
    /// <param name="inputs">Inputs.</param>
    public void AddStripes(int index, WeightMatrix matrix, int firstStripe, int endStripe, float* output, int inputs)
    {
        int first = firstStripe * WeightMatrix.StripeRows, count = Math.Min(endStripe * WeightMatrix.StripeRows, matrix.Rows) - first;
        for (int token = 0; _rank > 0 && token < inputs; token++)
        {
            float* b = _b[index * inputs + token], low = Low(index * inputs + token), outputs = output + (nint)token * matrix.Rows + first;
            for (int i = 0; b is not null && i < _adapters[token]!.Rank; i++)
            {
                ElementKernels.AddScaled(low[i], b + (nint)i * matrix.Rows + first, outputs, count);
            }
        }
    }

    public void Dispose() => _low.Dispose();

    private void Project(int worker, int item)
    {
        int index = Math.DivRem(item, _inputs, out int token);
        WeightMatrix matrix = _matrices[index]!;
        _b[item] = null;
        if (_adapters[token] is { } adapter && adapter.TryGet(matrix, out CpuLoraFactors factors))
        {
            _b[item] = factors.B;
            float* input = _input + (nint)token * matrix.Columns, low = Low(item);
            for (int i = 0; i < adapter.Rank; i++)
            {
                low[i] = DotKernels.Dot(factors.A + (nint)i * matrix.Columns, input, matrix.Columns);
            }
        }
    }

    private float* Low(int item) => _low.Floats + (nint)item * _rank;
}
